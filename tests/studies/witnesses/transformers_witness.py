"""Hugging Face's models, from a configuration alone, offline; see torch_witness.py.

Norms, rotations, softmax and tables of sinusoids are computed in float32 there, whatever the model
is in: 1.7e-7 off in a decoder's logits. Here the name of float32 means float64.
"""

from __future__ import annotations

import os
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from torch import nn
from torch_witness import main
from transformers.core_model_loading import revert_weight_conversion


def build(name: str, arguments: dict[str, Any]) -> nn.Module:
    """A class of transformers, with the attention that shows its arithmetic."""
    kind = getattr(transformers, name)
    built: nn.Module = kind(kind.config_class(attn_implementation="eager", **arguments))
    return built


def named(model: nn.Module) -> dict[str, str]:
    """Files keep the names of older versions, ViT's for one."""
    arrays = model.state_dict().items()
    return {name: next(iter(revert_weight_conversion(model, {name: a}))) for name, a in arrays}  # type: ignore[arg-type]


if __name__ == "__main__":
    torch.float = torch.float32 = torch.float64
    torch.FloatTensor = torch.DoubleTensor
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
    main(
        build,
        r"decoder\.(?:weight|bias)$|lm_head\.weight$|embed_tokens\.weight$|embed_positions|"
        r"position_ids|final_logits_bias|inv_freq|attn\.(?:masked_)?bias$",
        named,
    )
