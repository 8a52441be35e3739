"""Loss functions."""

from __future__ import annotations

from functools import singledispatch

import mlx.core as mx

from backends.base import NotSupported
from tasks import spec
from tribench_mlx.functions import exp


@singledispatch
def loss(loss, logits: mx.array, targets: mx.array, valid: mx.array | None) -> mx.array:
    """The scalar that training lessens, by the type of its spec."""
    raise NotSupported(f"mlx has no loss {type(loss).__name__}")


@loss.register
def cross_entropy(
    loss: spec.CrossEntropy, logits: mx.array, targets: mx.array, valid: mx.array | None
) -> mx.array:
    """Logits (..., classes), targets (...)."""
    centred = logits - mx.stop_gradient(logits.max(axis=-1, keepdims=True))
    logs = centred - mx.log(exp(centred).sum(axis=-1, keepdims=True))
    kept = (targets >= 0).astype(logits.dtype)
    each = mx.take_along_axis(logs, mx.maximum(targets, 0)[..., None], axis=-1)[..., 0]
    return -(kept * each).sum() / mx.maximum(kept.sum(), 1)
