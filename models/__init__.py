"""YAML to ``keras.Model``: the model's configuration, its checks and its factory.

Importing this package does not import TensorFlow; :mod:`models.factory` does.
"""
