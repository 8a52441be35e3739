"""Loss functions."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from backends.base import NotSupported
from tasks import spec


@singledispatch
def loss(loss: Any, logits: Tensor, targets: Tensor, valid: Tensor | None) -> Tensor:
    """The scalar that training lessens, by the type of its spec."""
    raise NotSupported(f"torch has no loss {type(loss).__name__}")


@loss.register
def cross_entropy(
    loss: spec.CrossEntropy, logits: Tensor, targets: Tensor, valid: Tensor | None
) -> Tensor:
    """Logits (..., classes), targets (...). Where the host knew that all of them count, eager steps
    do without the five small operations that leave some out: 5 % of a step of rnn-tiny.
    """
    if not torch.compiler.is_compiling() and getattr(targets, "all_count", False):
        return F.cross_entropy(
            logits.flatten(0, -2), targets.flatten(), label_smoothing=loss.smoothing
        )
    flat, wanted = logits.flatten(0, -2), targets.flatten()
    total = F.cross_entropy(
        flat,
        wanted.clamp(min=-1),
        ignore_index=-1,
        reduction="sum",
        label_smoothing=loss.smoothing,
    )
    return total / (wanted >= 0).sum().clamp(min=1)


@loss.register
def ctc(loss: spec.CTC, logits: Tensor, targets: Tensor, valid: Tensor | None) -> Tensor:
    """Logits (batch, steps, classes), targets (batch, labels). PyTorch takes steps from the first
    on: those that are valid are put in front.
    """
    logs = logits.log_softmax(dim=-1)
    if valid is None:
        valid = torch.ones(logs.shape[:2], dtype=torch.bool, device=logs.device)
    else:
        order = torch.argsort(valid.logical_not().int(), dim=1, stable=True)
        logs = logs.take_along_dim(order[..., None], dim=1)
    each = F.ctc_loss(
        logs.transpose(0, 1),
        targets,
        valid.sum(dim=1),
        (targets >= 0).sum(dim=1),
        blank=loss.blank,
        reduction="none",
    )
    return each.mean()
