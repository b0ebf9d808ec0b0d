"""Tracking: what a run was and what came of it, written as it comes."""

import os

# Read when MLflow is imported, by whichever module here comes first.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# It draws two for each file that is read of a run, on one line.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# Of a run on a server it would print the address as the run ends, among what the run prints.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
