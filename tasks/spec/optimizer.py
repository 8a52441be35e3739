"""Losses and optimizers: their formulas, with nothing left to a framework's default."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from tasks.spec.layer import SpecError, positive


@dataclass(frozen=True, kw_only=True)
class CrossEntropy:
    """-log softmax(logits)[target] of logits (..., classes) and targets (...): one for a sample, or
    one for every step. Targets below 0 are left out. It is the mean over the rest, 0 if none is.
    """


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """What every optimizer has. First the gradients are clipped, if asked: all of them times
    min(1, clip_norm / ‖all gradients‖). The rate of step t (from 1) is
    learning_rate * min(1, t / warmup_steps), divided by 10 for every milestone before t (as
    arXiv 1512.03385, section 4.2, does twice).
    """

    learning_rate: float
    weight_decay: float = 0.0
    clip_norm: float | None = None
    warmup_steps: int = 0
    milestones: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        positive(self, learning_rate=self.learning_rate)
        if self.clip_norm is not None:
            positive(self, clip_norm=self.clip_norm)
        if any(later <= before for before, later in pairwise((0, *self.milestones))):
            kind, given = type(self).__name__, self.milestones
            raise SpecError(f"{kind}: milestones (={given}) must be rising steps from 1 on")

    def moments(self) -> tuple[str, ...]:
        """The names of the arrays kept beside each parameter; all start at 0."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SGD(Optimizer):
    """g += weight_decay θ; v = momentum v + g; θ -= rate v, or with ``nesterov``
    θ -= rate (g + momentum v). Without momentum θ -= rate g.
    """

    momentum: float = 0.0
    nesterov: bool = False

    def moments(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()


@dataclass(frozen=True, kw_only=True)
class AdamW(Optimizer):
    """Adam with decoupled decay (arXiv 1412.6980, algorithm 1; arXiv 1711.05101, algorithm 2):
    m = β1 m + (1 - β1) g; v = β2 v + (1 - β2) g²;
    θ -= rate (m / (1 - β1ᵗ) / (sqrt(v / (1 - β2ᵗ)) + epsilon) + weight_decay θ).
    """

    beta1: float
    beta2: float
    epsilon: float

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, epsilon=self.epsilon)
        for name, beta in {"beta1": self.beta1, "beta2": self.beta2}.items():
            if not 0 <= beta < 1:
                raise SpecError(f"AdamW: {name} (={beta}) must lie in [0, 1)")

    def moments(self) -> tuple[str, ...]:
        return ("first_moment", "second_moment")
