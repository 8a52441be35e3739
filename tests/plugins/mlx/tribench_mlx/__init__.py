"""MLX, as an adapter in a package of its own: what a fourth framework takes."""

from importlib import import_module
from typing import Any

__all__ = ["Backend"]


def __getattr__(name: str) -> Any:
    # When it is asked for: ``framework`` is read where there is no MLX.
    if name in __all__:
        return getattr(import_module(f"{__name__}.backend"), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
