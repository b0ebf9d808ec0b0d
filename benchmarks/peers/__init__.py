"""The sides of the comparisons, a module a framework; each runs in a process of its own."""
