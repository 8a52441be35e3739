"""Known mistakes about optimizers: the formulas as people and frameworks get them wrong.

Each rule below is ``tasks.spec``'s formula with one thing changed. Sources: Keras's epsilon and
decoupled decay (keras 3, optimizers/base_optimizer.py and adam.py), PyTorch's L2 in Adam and
dampening (torch.optim.Adam, SGD), clipping by value and by array (clipvalue, clipnorm in Keras).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.spec import SGD, AdamW, Optimizer

Floats = NDArray[np.float64]
Tree = Mapping[str, Floats]
Clip = Callable[[Optimizer, Tree], Tree]
Rate = Callable[[Optimizer, int], float]
Weight = Callable[[float, int], float]
Rule = Callable[[Tree, Sequence[Tree]], list[Tree]]


@dataclass(frozen=True)
class Mistake:
    """What may have been done in place of the specified; ``rule(parameters, gradients by step)``
    gives the updates that it makes.
    """

    field: str
    words: str
    rule: Rule


@singledispatch
def mistakes(optimizer: Optimizer) -> Iterator[Mistake]:
    """Mistakes about this optimizer, the most likely first."""
    yield from ()


def _norm(gradients: Tree) -> float:
    return float(np.sqrt(sum(float((g**2).sum()) for g in gradients.values())))


def clip_together(o: Optimizer, gradients: Tree, slack: float = 0.0) -> Tree:
    """All gradients by their common norm, as specified."""
    if o.clip_norm is None:
        return gradients
    factor = min(1.0, o.clip_norm / (_norm(gradients) + slack)) if _norm(gradients) else 1.0
    return {path: factor * g for path, g in gradients.items()}


def clip_each(o: Optimizer, gradients: Tree) -> Tree:
    """Every array by its own norm."""
    return {path: clip_together(o, {path: g})[path] for path, g in gradients.items()}


def clip_values(o: Optimizer, gradients: Tree) -> Tree:
    """Every number by itself."""
    limit = o.clip_norm or np.inf
    return {path: np.clip(g, -limit, limit) for path, g in gradients.items()}


def normalised(o: Optimizer, gradients: Tree) -> Tree:
    """Always to the norm, small ones too."""
    norm = _norm(gradients)
    if o.clip_norm is None or not norm:
        return gradients
    return {path: g * (o.clip_norm / norm) for path, g in gradients.items()}


def warm(o: Optimizer, step: int) -> float:
    """The rate of a step, as specified."""
    grown = min(1.0, step / o.warmup_steps) if o.warmup_steps else 1.0
    return o.learning_rate * grown / 10.0 ** sum(step > milestone for milestone in o.milestones)


def warm_from_0(o: Optimizer, step: int) -> float:
    """Steps counted from 0."""
    return warm(o, step - 1) if o.warmup_steps else o.learning_rate


def weight(beta: float, step: int) -> float:
    """Of the gradients so far in a moment, by which the bias is corrected, as specified."""
    return 1 - beta**step


def uncorrected(beta: float, step: int) -> float:
    """No correction."""
    return 1.0


def narrow_weight(beta: float, step: int) -> float:
    """In float32, which keeps 4 digits of it at beta 0.999 and step 1."""
    return float(1 - np.float32(beta) ** np.float32(step))


def unlike_matrices(path: str, parameter: Floats) -> bool:
    """What many leave out by its name: biases and all that belongs to a norm."""
    return parameter.ndim < 2 or "norm" in path or path.endswith("bias")


def adamw(
    o: AdamW,
    parameters: Tree,
    gradients: Sequence[Tree],
    *,
    clip: Clip = clip_together,
    rate: Rate = warm,
    weights: tuple[Weight, Weight] = (weight, weight),
    epsilon: str = "outside",
    decay: str = "decoupled",
    greatest: str | None = None,
) -> list[Tree]:
    """AdamW's updates with these changes."""
    theta = dict(parameters)
    top = {path: np.zeros_like(p) for path, p in theta.items()}
    m = {path: np.zeros_like(p) for path, p in theta.items()}
    v = {path: np.zeros_like(p) for path, p in theta.items()}
    updates: list[Tree] = []
    for t, given in enumerate(gradients, 1):
        clipped, eta, update = clip(o, given), rate(o, t), {}
        for path, p in theta.items():
            g = clipped[path] + (o.weight_decay * p if decay == "coupled" else 0)
            m[path] = o.beta1 * m[path] + (1 - o.beta1) * g
            v[path] = o.beta2 * v[path] + (1 - o.beta2) * g**2
            first, debias = m[path] / weights[0](o.beta1, t), weights[1](o.beta2, t)
            second = v[path]
            if greatest is not None:
                corrected = second / debias if greatest == "corrected" else second
                top[path] = np.maximum(top[path], corrected)
                second = top[path] * debias if greatest == "corrected" else top[path]
            match epsilon:
                case "inside":
                    root = np.sqrt(second / debias + o.epsilon)
                case "before":
                    root = (np.sqrt(second) + o.epsilon) / np.sqrt(debias)
                case _:
                    root = np.sqrt(second / debias) + o.epsilon
            shrink = o.weight_decay * p
            match decay:
                case "coupled":
                    shrink = np.zeros_like(p)
                case "matrices":
                    shrink = shrink if p.ndim > 1 else np.zeros_like(p)
                case "not norms":
                    shrink = np.zeros_like(p) if unlike_matrices(path, p) else shrink
                case "unscaled":
                    shrink = shrink / eta if eta else shrink
            update[path] = -eta * (first / root + shrink)
        theta = {path: p + update[path] for path, p in theta.items()}
        updates.append(update)
    return updates


def sgd(
    o: SGD,
    parameters: Tree,
    gradients: Sequence[Tree],
    *,
    clip: Clip = clip_together,
    rate: Rate = warm,
    momentum: str = "plain",
    decay: str = "coupled",
) -> list[Tree]:
    """SGD's updates with these changes."""
    theta = dict(parameters)
    v = {path: np.zeros_like(p) for path, p in theta.items()}
    updates: list[Tree] = []
    for t, given in enumerate(gradients, 1):
        eta, update = rate(o, t), {}
        if decay == "clipped":
            given = {path: g + o.weight_decay * theta[path] for path, g in given.items()}
        clipped = clip(o, given)
        for path, p in theta.items():
            decays = decay == "coupled" or (decay == "matrices" and p.ndim > 1)
            decays = decays or (decay == "not norms" and not unlike_matrices(path, p))
            g = clipped[path] + (o.weight_decay * p if decays else 0)
            match momentum:
                case "dampened":
                    share = 1.0 if t == 1 else 1 - o.momentum
                case "averaged":
                    share = 1 - o.momentum
                case "with the rate":
                    share = eta
                case _:
                    share = 1.0
            v[path] = o.momentum * v[path] + share * g
            change = share * g + o.momentum * v[path] if o.nesterov else v[path]
            update[path] = -(1.0 if momentum == "with the rate" else eta) * change
            if decay == "decoupled":
                update[path] = update[path] - eta * o.weight_decay * p
        theta = {path: p + update[path] for path, p in theta.items()}
        updates.append(update)
    return updates


def _shared(o: Optimizer, rule: Callable[..., list[Tree]]) -> Iterator[Mistake]:
    ignored: dict[str, Any] = {
        "weight_decay": 0.0,
        "clip_norm": None,
        "warmup_steps": 0,
        "milestones": (),
    }
    for field, nothing in ignored.items():
        if getattr(o, field):
            yield Mistake(field, f"{field} ignored", partial(rule, replace(o, **{field: nothing})))
    for words, clip in (
        ("every array clipped by its own norm", clip_each),
        ("every number clipped by itself", clip_values),
        ("small gradients scaled up to clip_norm too", normalised),
        ("1e-6 added to the norm before clipping", partial(clip_together, slack=1e-6)),
    ):
        yield Mistake("clip_norm", words, partial(rule, o, clip=clip))
    yield Mistake("warmup_steps", "warm-up counted from 0", partial(rule, o, rate=warm_from_0))
    for change in (-1, 1):
        steps = o.warmup_steps + change
        if steps > 0:
            yield Mistake(
                "warmup_steps",
                f"warm-up over {steps} steps in place of {o.warmup_steps}",
                partial(rule, replace(o, warmup_steps=steps)),
            )
    if o.milestones:
        early = replace(o, milestones=tuple(step - 1 for step in o.milestones if step > 1))
        yield Mistake("milestones", "milestones a step early", partial(rule, early))
    for words, which in (
        ("weight decay of matrices only", "matrices"),
        ("weight decay but of biases and norms", "not norms"),
    ):
        yield Mistake("weight_decay", words, partial(rule, o, decay=which))
    for factor in (0.1, 0.5, 2.0, 10.0):
        yield Mistake(
            "learning_rate",
            f"a learning rate {factor:g} times the specified",
            partial(rule, replace(o, learning_rate=factor * o.learning_rate)),
        )


@mistakes.register
def _adamw(o: AdamW) -> Iterator[Mistake]:
    def changed(field: str, value: Any) -> Mistake:
        words = f"{field} {value:g} in place of {getattr(o, field):g}"
        return Mistake(field, words, partial(adamw, replace(o, **{field: value})))

    for field, values in (
        ("epsilon", (1e-7, 1e-8, 1e-6, 1e-5, 1e-10, 1e-3, 1e-12, 1e-16)),
        ("beta1", (0.9, 0.95, 0.99, 0.8, 0.0)),
        ("beta2", (0.999, 0.99, 0.95, 0.98, 0.9, 0.9999)),
    ):
        yield from (changed(field, value) for value in values if value != getattr(o, field))
    swapped = replace(o, beta1=o.beta2, beta2=o.beta1)

    def after(beta: float, step: int) -> float:
        return weight(beta, step + 1)

    def before(beta: float, step: int) -> float:
        return weight(beta, max(1, step - 1))

    for field, words, rule in (
        ("epsilon", "epsilon added inside the root", partial(adamw, o, epsilon="inside")),
        (
            "epsilon",
            "epsilon added before the bias correction, as Keras does",
            partial(adamw, o, epsilon="before"),
        ),
        (
            "beta2",
            "the greatest second moment so far, as AMSGrad",
            partial(adamw, o, greatest="raw"),
        ),
        (
            "beta2",
            "the greatest corrected second moment so far, as AMSGrad in optax",
            partial(adamw, o, greatest="corrected"),
        ),
        ("beta1", "no bias correction", partial(adamw, o, weights=(uncorrected, uncorrected))),
        ("beta2", "no bias correction of beta2", partial(adamw, o, weights=(weight, uncorrected))),
        ("beta1", "no bias correction of beta1", partial(adamw, o, weights=(uncorrected, weight))),
        ("beta1", "bias corrected by the step after", partial(adamw, o, weights=(after, after))),
        (
            "beta1",
            "bias correction by the step before",
            partial(adamw, o, weights=(before, before)),
        ),
        ("beta1", "beta1 and beta2 swapped", partial(adamw, swapped)),
        (
            "weight_decay",
            "weight decay as an L2 term of the gradient, as in Adam",
            partial(adamw, o, decay="coupled"),
        ),
        (
            "weight_decay",
            "weight decay not multiplied by the learning rate",
            partial(adamw, o, decay="unscaled"),
        ),
    ):
        yield Mistake(field, words, rule)
    yield from _shared(o, adamw)


@dataclass(frozen=True)
class Narrowed:
    """How less than the declared precision is kept of updates, and the relative error that it can
    make of a step's, at most.
    """

    words: str
    rule: Rule
    most: Callable[[int], float]


def narrowed(o: Optimizer) -> Iterator[Narrowed]:
    """What correct programs do, too."""
    if isinstance(o, AdamW):
        beta = o.beta2

        def most(step: int) -> float:
            """Of a power that is off by four units in the last place; of its root half of it."""
            return 4 * 2.0**-24 / (1 - beta**step)

        rule = partial(adamw, o, weights=(narrow_weight, narrow_weight))
        yield Narrowed("the bias correction computed in float32", rule, most)


@mistakes.register
def _sgd(o: SGD) -> Iterator[Mistake]:
    other = "left out" if o.nesterov else "where there is none"
    for field, words, rule in (
        ("momentum", "momentum ignored", partial(sgd, replace(o, momentum=0.0))),
        ("nesterov", f"nesterov {other}", partial(sgd, replace(o, nesterov=not o.nesterov))),
        (
            "momentum",
            "momentum dampened but at the first step",
            partial(sgd, o, momentum="dampened"),
        ),
        (
            "momentum",
            "momentum as a running mean of gradients",
            partial(sgd, o, momentum="averaged"),
        ),
        (
            "momentum",
            "the learning rate inside the momentum, as in Keras",
            partial(sgd, o, momentum="with the rate"),
        ),
        ("weight_decay", "weight decay decoupled", partial(sgd, o, decay="decoupled")),
        (
            "weight_decay",
            "weight decay added before clipping",
            partial(sgd, o, decay="clipped"),
        ),
    ):
        yield Mistake(field, words, rule)
    for value in (0.5, 0.9, 0.95, 0.99, 0.1):
        if value != o.momentum:
            words = f"momentum {value:g} in place of {o.momentum:g}"
            yield Mistake("momentum", words, partial(sgd, replace(o, momentum=value)))
    yield from _shared(o, sgd)
