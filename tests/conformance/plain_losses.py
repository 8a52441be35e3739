"""Losses as a PyTorch user writes them; run in PyTorch's environment by test_plain_losses.py.

``python plain_losses.py FILE`` reads logits, targets and lengths, and writes to the same file each
loss and its gradient.
"""

import sys

import numpy as np
import torch
from torch import nn

with np.load(sys.argv[1]) as arrays:
    given = dict(arrays)
logits = torch.tensor(given["logits"], requires_grad=True)
steps, found = torch.tensor(given["steps"]), {}


def keep(name, loss):
    found[name] = loss.detach().numpy()
    (found[f"{name}/gradient"],) = torch.autograd.grad(loss, logits)


for name in given:
    kind, _, number = name.partition("/")
    targets = torch.tensor(given[name])
    if kind == "smoothed":
        criterion = nn.CrossEntropyLoss(label_smoothing=float(number), ignore_index=-1)
        keep(name, criterion(logits.flatten(0, 1), targets.long().flatten()))
    if kind == "ctc":
        criterion = nn.CTCLoss(blank=int(number), reduction="none")
        logs = logits.log_softmax(-1).transpose(0, 1)
        keep(name, criterion(logs, targets, steps, (targets >= 0).sum(1)).mean())
np.savez(sys.argv[1], **found)
