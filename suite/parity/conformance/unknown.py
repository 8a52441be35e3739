"""What no adapter knows, for the check that it says so. Workers import this."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.spec import Layer, Loss, Optimizer


@dataclass(frozen=True, kw_only=True)
class UnknownLayer(Layer):
    """A layer that nobody lowers."""


@dataclass(frozen=True, kw_only=True)
class UnknownLoss(Loss):
    """A loss that nobody computes."""


@dataclass(frozen=True, kw_only=True)
class UnknownOptimizer(Optimizer):
    """An optimizer that nobody has."""

    def moments(self) -> tuple[str, ...]:
        return ()
