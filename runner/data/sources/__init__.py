"""What examples are read from, one source a file."""
