"""The reference, which arbitrates between the frameworks and is never timed."""

from backends.numpy.backend import Backend

__all__ = ["Backend"]
