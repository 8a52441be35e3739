"""TensorFlow."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backends.tensorflow.backend import Backend

__all__ = ["Backend"]


def __getattr__(name: str) -> Any:
    # When it is asked for: ``framework`` is read where there is no framework.
    if name in __all__:
        return getattr(import_module(f"{__name__}.backend"), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
