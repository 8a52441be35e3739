"""A layer in a package that only the coordinator has."""

from dataclasses import dataclass

from tasks.spec import Layer


@dataclass(frozen=True, kw_only=True)
class Hidden(Layer):
    """x."""
