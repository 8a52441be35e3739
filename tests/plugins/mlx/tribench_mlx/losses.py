"""Loss functions."""

from __future__ import annotations

from functools import singledispatch
from math import inf

import mlx.core as mx

from backends.base import NotSupported
from tasks import spec
from tribench_mlx.arrays import scalar
from tribench_mlx.functions import exp

NEVER = -1e30  # the logarithm of what cannot be; the derivative of that of 0 is not a number


@singledispatch
def loss(loss, logits: mx.array, targets: mx.array, valid: mx.array | None) -> mx.array:
    """The scalar that training lessens, by the type of its spec."""
    raise NotSupported(f"mlx has no loss {type(loss).__name__}")


@loss.register
def cross_entropy(
    loss: spec.CrossEntropy, logits: mx.array, targets: mx.array, valid: mx.array | None
) -> mx.array:
    """Logits (..., classes), targets (...)."""
    logs = log_softmax(logits)
    kept = (targets >= 0).astype(logits.dtype)
    each = mx.take_along_axis(logs, mx.maximum(targets, 0)[..., None], axis=-1)[..., 0]
    if loss.smoothing:
        sure, rest = (scalar(share, logs) for share in (1 - loss.smoothing, loss.smoothing))
        each = sure * each + rest * logs.mean(axis=-1)
    return -(kept * each).sum() / mx.maximum(kept.sum(), 1)


@loss.register
def ctc(loss: spec.CTC, logits: mx.array, targets: mx.array, valid: mx.array | None) -> mx.array:
    """Logits (batch, steps, classes), targets (batch, labels). The loop holds the logarithm of the
    probability of all alignments that end in each state: the labels with a blank before and after
    each.
    """
    batch, labels = targets.shape
    blanks = mx.full((batch, labels + 1), loss.blank, targets.dtype)
    pairs = mx.stack([blanks[:, :-1], mx.maximum(targets, 0)], axis=2).reshape(batch, -1)
    states = mx.concatenate([pairs, blanks[:, -1:]], axis=1)
    skips = mx.concatenate(
        [mx.zeros((batch, 2), mx.bool_), states[:, 2:] != states[:, :-2]], axis=1
    )
    steps = logits.shape[1]
    scores = mx.take_along_axis(
        log_softmax(logits),
        mx.broadcast_to(states[:, None], (batch, steps, 2 * labels + 1)),
        axis=-1,
    )
    never = mx.full((batch, 2), NEVER, scores.dtype)
    found = mx.where(mx.arange(2 * labels + 1) == 0, scalar(0.0, scores), scalar(NEVER, scores))
    found = mx.broadcast_to(found, states.shape)
    for step in range(steps):
        padded = mx.concatenate([never, found], axis=1)
        ways = found, padded[:, 1:-1], mx.where(skips, padded[:, :-2], scalar(NEVER, scores))
        after = scores[:, step] + log_sum(mx.stack(ways), axis=0)
        found = after if valid is None else mx.where(valid[:, step, None], after, found)
    last = 2 * (targets >= 0).astype(mx.int32).sum(axis=1, keepdims=True)
    left = last - mx.arange(2 * labels + 1)
    ends = mx.where((left == 0) | (left == 1), found, scalar(NEVER, scores))
    total = log_sum(ends, axis=1)
    return mx.where(total > NEVER / 2, -total, scalar(inf, total)).mean()


def log_softmax(logits: mx.array) -> mx.array:
    """Along the last axis."""
    return logits - log_sum(logits, axis=-1, keepdims=True)


def log_sum(x: mx.array, axis: int, keepdims: bool = False) -> mx.array:
    """log Σ exp x along an axis."""
    top = mx.stop_gradient(x.max(axis=axis, keepdims=True))
    found = top + mx.log(exp(x - top).sum(axis=axis, keepdims=True))
    return found if keepdims else found.squeeze(axis)
