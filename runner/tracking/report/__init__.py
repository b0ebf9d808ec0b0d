"""A page that tells of a run, and its figures, made of what the run has spooled."""
