"""Data sources: each reads examples; splits and batches are the same for all."""
