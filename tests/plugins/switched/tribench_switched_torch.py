"""PyTorch with TF32 left on in float32: what parity must notice on a GPU. On the CPU the same."""

from __future__ import annotations

import torch

from backends.torch import Backend


class Switched(Backend):
    """As a script has it that never heard of the switches."""

    name = "torch-switched"

    def __init__(self, **chosen) -> None:
        super().__init__(**chosen)
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
