"""Tracking: what a run was and what came of it, written as it comes."""

import os

# Read when MLflow is imported, by whichever module here comes first.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
