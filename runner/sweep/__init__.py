"""Sweeps: their jobs, what came of them, and the run that they are nested under."""
