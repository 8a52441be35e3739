"""Hugging Face's models, from a configuration alone, offline; see torch_witness.py."""

from __future__ import annotations

import os
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
import transformers
from torch import nn
from torch_witness import main


def build(name: str, arguments: dict[str, Any]) -> nn.Module:
    """A class of transformers, with the attention that shows its arithmetic."""
    kind = getattr(transformers, name)
    config = kind.config_class(attn_implementation="eager", **arguments)
    model: nn.Module = kind(config)
    for module in model.modules():
        if type(module).__name__ == "MarianSinusoidalPositionalEmbedding":
            module.weight = nn.Parameter(_sinusoids(*module.weight.shape), requires_grad=False)
    return model


def _sinusoids(steps: int, width: int) -> torch.Tensor:
    """Marian's table by its formula in float64; it is stored in float32, 3e-8 off."""
    angles = np.arange(steps)[:, None] / 10_000 ** (np.arange(0, width, 2) / width)
    return torch.tensor(np.concatenate([np.sin(angles), np.cos(angles)], axis=1))


if __name__ == "__main__":
    main(
        build,
        r"decoder\.(?:weight|bias)$|lm_head\.weight$|embed_tokens\.weight$|embed_positions|"
        r"position_ids|final_logits_bias|inv_freq|attn\.(?:masked_)?bias$",
    )
