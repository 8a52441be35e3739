"""Specs to the loss modules of torch.nn."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

import torch.nn.functional as F
from torch import Tensor, nn

from backends.base import NotSupported
from tasks import spec

Loss = Callable[[Tensor, Tensor, int], Tensor]


@singledispatch
def loss(loss: spec.Loss) -> Loss:
    """What makes a scalar of logits, targets, -1 being none, and how many targets there are."""
    raise NotSupported(f"torch-nn has no loss {type(loss).__name__}")


@loss.register
def _(loss: spec.CrossEntropy) -> Loss:
    """Of every step, if there are steps; their own mean is not a number where no target is."""
    criterion = nn.CrossEntropyLoss(
        ignore_index=-1, reduction="sum", label_smoothing=loss.smoothing
    )

    def mean(logits: Tensor, targets: Tensor, number: int) -> Tensor:
        return criterion(logits.flatten(0, -2), targets.flatten()) / max(number, 1)

    return mean


@loss.register
def _(loss: spec.CTC) -> Loss:
    """Of all steps. nn.CTCLoss's own mean divides each sample's loss by its labels first."""
    criterion = nn.CTCLoss(blank=loss.blank, reduction="none")

    def mean(logits: Tensor, targets: Tensor, number: int) -> Tensor:
        logs = F.log_softmax(logits, dim=-1).transpose(0, 1)
        steps = targets.new_full((len(targets),), len(logs))
        return criterion(logs, targets, steps, (targets >= 0).sum(dim=1)).mean()

    return mean
