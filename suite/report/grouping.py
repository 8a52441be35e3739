"""Values put together by what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Value = TypeVar("Value")


def grouped(values: Iterable[Value], key: Callable[[Value], Any]) -> dict[Any, list[Value]]:
    """The values by key, both in their order."""
    found: dict[Any, list[Value]] = {}
    for value in values:
        found.setdefault(key(value), []).append(value)
    return found
