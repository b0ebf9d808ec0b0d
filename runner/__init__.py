"""The runner: from a composed configuration to a run in a Session, logged to MLflow."""
