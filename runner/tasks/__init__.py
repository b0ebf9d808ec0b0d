"""The tasks: each yields results and writes nothing."""
