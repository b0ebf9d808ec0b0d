"""What is shown of runs that are over: in a list, on a page, and beside each other."""
