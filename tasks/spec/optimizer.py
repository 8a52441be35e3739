"""Losses and optimizers: their formulas, with nothing left to a framework's default."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from tasks.spec.layer import SpecError, positive


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One number of a batch's logits, its targets, and its valid steps, which may be None: all."""


@dataclass(frozen=True, kw_only=True)
class CrossEntropy(Loss):
    """-log softmax(logits)[target] of logits (..., classes) and targets (...): one for a sample, or
    one for every step. Targets below 0 are left out. It is the mean over the rest, 0 if none is.

    With ``smoothing`` it is -Σ q log softmax(logits) over all K classes. Every class has
    q = smoothing / K, the target too, which has 1 - smoothing beside (arXiv 1512.00567, section 7;
    so does torch.nn.CrossEntropyLoss).
    """

    smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise SpecError(f"CrossEntropy: smoothing (={self.smoothing}) must lie in [0, 1)")


@dataclass(frozen=True, kw_only=True)
class CTC(Loss):
    """-log p(labels | logits) by connectionist temporal classification (Graves et al. 2006,
    doi 10.1145/1143844.1143891) of logits (samples, steps, classes) and targets (samples, labels).
    Targets below 0 are padding, behind the labels. No label is ``blank``. Steps that are not valid
    count for nothing, wherever they stand. It is the mean over samples of their sums, however many
    labels they have: PyTorch's "mean" divides each by its labels first.

    A sample without labels has the probability of blanks alone. One whose valid steps are fewer
    than its labels, with one more for each label that repeats the one before it, has none: the
    loss is infinite, as PyTorch's, and its gradient has no meaning.
    """

    blank: int = 0

    def __post_init__(self) -> None:
        if self.blank < 0:
            raise SpecError(f"CTC: blank (={self.blank}) must be a class, from 0 on")


SCHEDULES = ("constant", "inverse_sqrt", "cosine")


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """What every optimizer has. First the gradients are clipped, if asked: all of them times
    min(1, clip_norm / ‖all gradients‖). The rate of step t (from 1) is
    learning_rate * min(1, t / warmup_steps), times the ``schedule``, divided by 10 for every
    milestone before t (as arXiv 1512.03385, section 4.2, does twice). A schedule is

    constant      1
    inverse_sqrt  sqrt(w / max(t, w)), w being the warm-up's steps, at least 1. With the warm-up the
                  rate is learning_rate * sqrt(w) * min(t^-0.5, t w^-1.5): as in arXiv 1706.03762,
                  section 5.3, but with learning_rate at its peak, at t = w.
    cosine        (1 + cos(π p)) / 2, p being how much of the way from the warm-up's end to
                  ``decay_steps`` has been gone: 1 until the warm-up's end, 0 from decay_steps on
                  (arXiv 1608.03983, equation 5, without restarts)
    """

    learning_rate: float
    weight_decay: float = 0.0
    clip_norm: float | None = None
    warmup_steps: int = 0
    milestones: tuple[int, ...] = ()
    schedule: str = "constant"
    decay_steps: int | None = None

    def __post_init__(self) -> None:
        positive(self, learning_rate=self.learning_rate)
        if self.clip_norm is not None:
            positive(self, clip_norm=self.clip_norm)
        if any(later <= before for before, later in pairwise((0, *self.milestones))):
            kind, given = type(self).__name__, self.milestones
            raise SpecError(f"{kind}: milestones (={given}) must be rising steps from 1 on")
        kind, last = type(self).__name__, self.decay_steps
        if self.schedule not in SCHEDULES:
            raise SpecError(
                f"{kind}: schedule (={self.schedule}) must be one of {', '.join(SCHEDULES)}"
            )
        if self.schedule != "cosine" and last is not None:
            raise SpecError(f"{kind}: decay_steps (={last}) is of the schedule cosine alone")
        if self.schedule == "cosine" and (last is None or last <= self.warmup_steps):
            wanted = f"more than warmup_steps (={self.warmup_steps})"
            raise SpecError(f"{kind}: decay_steps (={last}) of a cosine must be {wanted}")

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
