"""Announces a name that another package announces too."""

from backends.numpy import Backend as Talking

__all__ = ["Talking"]
