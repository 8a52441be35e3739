"""What layers of several modules use."""

from __future__ import annotations

from torch import Tensor

Tensors = dict[str, Tensor]
