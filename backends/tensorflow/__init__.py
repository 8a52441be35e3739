"""TensorFlow."""

from backends.tensorflow.backend import Backend

__all__ = ["Backend"]
