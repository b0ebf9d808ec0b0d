"""Tracking: what a run was and what came of it, written as it comes."""
