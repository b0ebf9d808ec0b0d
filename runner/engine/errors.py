"""What the engine raises; importable without TensorFlow."""


class StepError(Exception):
    """A step failed in the Session; the cause is TensorFlow's own error."""
