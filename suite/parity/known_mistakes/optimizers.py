"""Known mistakes about optimizers: the formulas as people and frameworks get them wrong.

Each is ``tasks.spec``'s formula with one thing changed. Sources: Keras's epsilon and decoupled
decay (keras 3, optimizers/base_optimizer.py and adam.py), PyTorch's L2 in Adam and dampening
(torch.optim.Adam, SGD), clipping by value and by array (clipvalue, clipnorm in Keras).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import cos, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.parity.known_mistakes.words import Mistake
from tasks.spec import SGD, AdamW, Optimizer

Floats = NDArray[np.float64]
Tree = Mapping[str, Floats]
Clip = Callable[[Optimizer, Tree], Tree]
Rate = Callable[[Optimizer, int], float]
Weight = Callable[[float, int], float]
State = defaultdict[tuple[str, str], Any]  # of a kind and path; 0 at first
Rule = Callable[[Tree, Sequence[Tree]], list[Tree]]  # the updates of these gradients, step by step
# What every optimizer may have, switched off.
NOTHING: dict[str, Any] = {
    "weight_decay": 0.0,
    "clip_norm": None,
    "warmup_steps": 0,
    "milestones": (),
}
LEAST_RATE = 1e-30  # as good as none, and nothing is divided by 0


def mistakes(o: Optimizer) -> Iterator[Mistake[Rule]]:
    """Mistakes about this optimizer; none is known about others than AdamW and SGD."""
    if not isinstance(o, (AdamW, SGD)):
        return
    for field, words, value in _fields(o):
        yield Mistake(field, words, partial(updates, replace(o, **{field: value})), field)
    for field, words, changes in _rules(o):
        yield Mistake(field, words, partial(updates, o, **changes), field)
    if isinstance(o, AdamW):
        swapped = replace(o, beta1=o.beta2, beta2=o.beta1)
        yield Mistake("beta1", "beta1 and beta2 swapped", partial(updates, swapped), "beta1")


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


def shaped(o: Optimizer, step: int) -> float:
    """The schedule's share of the rate, as specified."""
    match o.schedule:
        case "inverse_sqrt":
            return sqrt(max(1, o.warmup_steps) / max(step, o.warmup_steps, 1))
        case "cosine":
            return (1 + cos(pi * min(1.0, _way(o, step)))) / 2
    return 1.0


def _way(o: Optimizer, step: int) -> float:
    """How much of a cosine's way has been gone; beyond its end it goes on."""
    assert o.decay_steps is not None
    return max(0, step - o.warmup_steps) / (o.decay_steps - o.warmup_steps)


def risen_again(o: Optimizer, step: int) -> float:
    """A cosine that nobody stops."""
    return (1 + cos(pi * _way(o, step))) / 2


def straight(o: Optimizer, step: int) -> float:
    """A line down to 0."""
    return 1 - min(1.0, _way(o, step))


def ended(o: Optimizer, step: int, last: int) -> float:
    """A cosine that ends at another step."""
    return shaped(replace(o, decay_steps=last), step)


def step_before(o: Optimizer, step: int) -> float:
    """The schedule's share of steps that are counted from 0."""
    return shaped(o, step - 1)


def from_the_start(o: Optimizer, step: int) -> float:
    """A cosine whose way begins with the warm-up."""
    return shaped(replace(o, warmup_steps=0), step)


def after_the_start(o: Optimizer, step: int) -> float:
    """An inverse square root of the steps since the warm-up's end."""
    return 1 / sqrt(max(1, step - o.warmup_steps))


def unscaled(o: Optimizer, step: int) -> float:
    """The paper's, whose peak is the root of 1 / warmup_steps."""
    return shaped(o, step) / sqrt(max(1, o.warmup_steps))


def without_peak(o: Optimizer, step: int) -> float:
    """An inverse square root of the step, which falls from the first one on."""
    return 1 / sqrt(step)


def warm(o: Optimizer, step: int, shape: Callable[[Optimizer, int], float] = shaped) -> float:
    """The rate of a step, as specified."""
    grown = min(1.0, step / o.warmup_steps) if o.warmup_steps else 1.0
    passed = sum(step > milestone for milestone in o.milestones)
    return o.learning_rate * grown * shape(o, step) / 10.0**passed


def warm_from_0(o: Optimizer, step: int) -> float:
    """Steps counted from 0."""
    return warm(o, step - 1) if o.warmup_steps else o.learning_rate


def weight(beta: float, step: int) -> float:
    """Of the gradients so far in a moment, by which the bias is corrected, as specified."""
    return 1 - beta**step


def weight_after(beta: float, step: int) -> float:
    """Of the step after."""
    return weight(beta, step + 1)


def weight_before(beta: float, step: int) -> float:
    """Of the step before."""
    return weight(beta, max(1, step - 1))


def uncorrected(beta: float, step: int) -> float:
    """No correction."""
    return 1.0


def narrow_weight(beta: float, step: int) -> float:
    """In float32, which keeps 4 digits of it at beta 0.999 and step 1."""
    return float(1 - np.float32(beta) ** np.float32(step))


def matrices(path: str, parameter: Floats) -> bool:
    """By its shape."""
    return parameter.ndim > 1


def no_norms(path: str, parameter: Floats) -> bool:
    """Without what many leave out by its name: biases and all that belongs to a norm."""
    return matrices(path, parameter) and "norm" not in path and not path.endswith("bias")


def updates(
    o: Optimizer,
    parameters: Tree,
    gradients: Sequence[Tree],
    *,
    clip: Clip = clip_together,
    rate: Rate = warm,
    decay: str | None = None,
    decays: Callable[[str, Floats], bool] = lambda path, parameter: True,
    **changes: Any,
) -> list[Tree]:
    """The optimizer's updates with these changes, of which ``changes`` are those of its own
    direction. ``decay`` is ``decoupled`` in AdamW, ``coupled`` in SGD.
    """
    direction: Any = adamw if isinstance(o, AdamW) else sgd
    decay = decay or ("decoupled" if isinstance(o, AdamW) else "coupled")
    theta, state, made = dict(parameters), State(float), list[Tree]()
    for t, given in enumerate(gradients, 1):
        eta, update = rate(o, t) or LEAST_RATE, {}
        shrink = {path: o.weight_decay * decays(path, p) * p for path, p in theta.items()}
        if decay == "clipped":
            given = {path: g + shrink[path] for path, g in given.items()}
        clipped = clip(o, given)
        for path in theta:
            g = clipped[path] + shrink[path] if decay == "coupled" else clipped[path]
            towards = direction(o, state, path, g, t, eta, **changes)
            if decay == "decoupled":
                towards = towards + shrink[path]
            if decay == "unscaled":
                towards = towards + shrink[path] / eta
            update[path] = -eta * towards
        theta = {path: p + update[path] for path, p in theta.items()}
        made.append(update)
    return made


def adamw(
    o: AdamW,
    state: State,
    path: str,
    g: Floats,
    t: int,
    eta: float,
    weights: tuple[Weight, Weight] = (weight, weight),
    epsilon: str = "outside",
    greatest: str | None = None,
) -> Any:
    """Where AdamW's moments point."""
    m = state["m", path] = o.beta1 * state["m", path] + (1 - o.beta1) * g
    v = state["v", path] = o.beta2 * state["v", path] + (1 - o.beta2) * g**2
    debias = weights[1](o.beta2, t)
    if greatest is not None:
        unit = debias if greatest == "corrected" else 1.0
        state["top", path] = np.maximum(state["top", path], v / unit)
        v = state["top", path] * unit
    match epsilon:
        case "inside":
            root = np.sqrt(v / debias + o.epsilon)
        case "before":
            root = (np.sqrt(v) + o.epsilon) / np.sqrt(debias)
        case _:
            root = np.sqrt(v / debias) + o.epsilon
    return m / weights[0](o.beta1, t) / root


def sgd(
    o: SGD, state: State, path: str, g: Floats, t: int, eta: float, momentum: str = "plain"
) -> Any:
    """Where SGD's momentum points."""
    unit = eta if momentum == "with the rate" else 1.0
    damped = momentum == "averaged" or (momentum == "dampened" and t > 1)
    share = 1 - o.momentum if damped else unit
    v = state["v", path] = o.momentum * state["v", path] + share * g
    return (share * g + o.momentum * v if o.nesterov else v) / unit


# Values that people use.
USUAL = {
    "epsilon": (1e-7, 1e-8, 1e-6, 1e-5, 1e-10, 1e-3, 1e-12, 1e-16),
    "beta1": (0.9, 0.95, 0.99, 0.8, 0.0),
    "beta2": (0.999, 0.99, 0.95, 0.98, 0.9, 0.9999),
    "momentum": (0.5, 0.9, 0.95, 0.99, 0.1),
}


def _fields(o: Optimizer) -> Iterator[tuple[str, str, Any]]:
    """A field, a name for people, and another value, the most likely first."""
    nothing = NOTHING | ({"momentum": 0.0} if isinstance(o, SGD) else {})
    for field, value in nothing.items():
        if getattr(o, field):
            yield field, f"{field} ignored", value
    for field, values in USUAL.items():
        own = getattr(o, field, None)
        for value in values:
            if own not in (None, value):
                yield field, f"{field} {value:g} in place of {own:g}", value
    if isinstance(o, SGD):
        other = "left out" if o.nesterov else "where there is none"
        yield "nesterov", f"nesterov {other}", not o.nesterov
    for steps in (o.warmup_steps - 1, o.warmup_steps + 1):
        if steps > 0:
            words = f"warm-up over {steps} steps in place of {o.warmup_steps}"
            yield "warmup_steps", words, steps
    if o.milestones:
        early = tuple(step - 1 for step in o.milestones if step > 1)
        yield "milestones", "milestones a step early", early
    for factor in (0.1, 0.5, 2.0, 10.0):
        words = f"a learning rate {factor:g} times the specified"
        yield "learning_rate", words, factor * o.learning_rate


def _rules(o: Optimizer) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """A field, a name for people, and changes of ``updates``, the most likely first."""
    if isinstance(o, AdamW):
        yield "epsilon", "epsilon added inside the root", {"epsilon": "inside"}
        words = "epsilon added before the bias correction, as Keras does"
        yield "epsilon", words, {"epsilon": "before"}
        words = "the greatest second moment so far, as AMSGrad"
        yield "beta2", words, {"greatest": "raw"}
        words = "the greatest corrected second moment so far, as AMSGrad in optax"
        yield "beta2", words, {"greatest": "corrected"}
        for field, words, *weights in (
            ("beta1", "no bias correction", uncorrected, uncorrected),
            ("beta2", "no bias correction of beta2", weight, uncorrected),
            ("beta1", "no bias correction of beta1", uncorrected, weight),
            ("beta1", "bias corrected by the step after", weight_after, weight_after),
            ("beta1", "bias correction by the step before", weight_before, weight_before),
        ):
            yield field, words, {"weights": weights}
        words = "weight decay as an L2 term of the gradient, as in Adam"
        yield "weight_decay", words, {"decay": "coupled"}
        words = "weight decay not multiplied by the learning rate"
        yield "weight_decay", words, {"decay": "unscaled"}
    else:
        words = "momentum dampened but at the first step"
        yield "momentum", words, {"momentum": "dampened"}
        words = "momentum as a running mean of gradients"
        yield "momentum", words, {"momentum": "averaged"}
        words = "the learning rate inside the momentum, as in Keras"
        yield "momentum", words, {"momentum": "with the rate"}
        yield "weight_decay", "weight decay decoupled", {"decay": "decoupled"}
        yield "weight_decay", "weight decay added before clipping", {"decay": "clipped"}
    for words, clip in (
        ("every array clipped by its own norm", clip_each),
        ("every number clipped by itself", clip_values),
        ("small gradients scaled up to clip_norm too", normalised),
        ("1e-6 added to the norm before clipping", partial(clip_together, slack=1e-6)),
    ):
        yield "clip_norm", words, {"clip": clip}
    yield "warmup_steps", "warm-up counted from 0", {"rate": warm_from_0}
    for words, shape in _shapes(o):
        yield "schedule", words, {"rate": partial(warm, shape=shape)}
    yield "weight_decay", "weight decay of matrices only", {"decays": matrices}
    yield "weight_decay", "weight decay but of biases and norms", {"decays": no_norms}


def _shapes(o: Optimizer) -> Iterator[tuple[str, Callable[[Optimizer, int], float]]]:
    """A name for people, and another schedule."""
    if o.schedule != "constant":
        yield "schedule ignored", lambda o, step: 1.0
        yield "the schedule's steps counted from 0", step_before
    if (last := o.decay_steps) is not None:
        for steps in (last - 1, last + 1, last + o.warmup_steps):
            if steps > o.warmup_steps and steps != last:
                yield f"decay_steps {steps} in place of {last}", partial(ended, last=steps)
    match o.schedule:
        case "inverse_sqrt":
            yield "the learning rate as the factor of the paper's formula", unscaled
            yield "the inverse square root of the steps since the warm-up", after_the_start
            yield "the inverse square root of the step, in the warm-up too", without_peak
        case "cosine":
            yield "a cosine that rises again after its end", risen_again
            yield "a line in place of the cosine", straight
            yield "a cosine that begins with the warm-up", from_the_start


NARROWED = "the bias correction computed in float32"  # as correct programs do, too


def narrowed(o: AdamW) -> Rule:
    """AdamW's with that, which keeps less than the declared precision."""
    return partial(updates, o, weights=(narrow_weight, narrow_weight))


def most_narrowed(o: AdamW, step: int) -> float:
    """The relative error that it can make of a step's update, at most: of a power that is off by
    four units in the last place; of its root half of it.
    """
    return 4 * 2.0**-24 / (1 - o.beta2**step)
