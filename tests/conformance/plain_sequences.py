"""PyTorch's own recurrent layers and Transformer on what FOLDER/given.npz has, written to
FOLDER/made.npz: outputs, and the gradients of what the outputs' upstream or the loss give. Run with
PyTorch's interpreter.
"""

from __future__ import annotations

import sys
from math import sqrt
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

Tensors = dict[str, Tensor]


def recurrent(kind: str, given: Tensors) -> Tensors:
    """Both directions of two layers on rows that are padded on the right."""
    x, lengths = given["x"].requires_grad_(), given["valid"].sum(dim=1)
    own = {name.removeprefix("p."): p for name, p in given.items() if name.startswith("p.")}
    hidden = own["weight_hh_l0"].shape[1]
    module = getattr(nn, kind)(
        x.shape[-1], hidden, 2, batch_first=True, bidirectional=True, dtype=x.dtype
    )
    module.load_state_dict(own)
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    y, _ = nn.utils.rnn.pad_packed_sequence(module(packed)[0], batch_first=True)
    (y * given["upstream"]).sum().backward()
    gradients = {f"p.{name}": p.grad for name, p in module.named_parameters()}
    return {"y": y, "x": x.grad} | gradients


def transformer(given: Tensors) -> Tensors:
    """Post-norm encoder and decoder layers around one table, with a padded source and target."""
    p = {name: array.requires_grad_() for name, array in given.items() if "." in name}
    table, blocks = p["source_word.weight"], 2
    width = table.shape[1]
    sizes = (width, 2, len(p["encoder.0.linear1.bias"]), 0.0)
    options = {"layer_norm_eps": 1e-5, "batch_first": True, "dtype": torch.float64}
    encode = nn.TransformerEncoderLayer(*sizes, **options)
    decode = nn.TransformerDecoderLayer(*sizes, **options)
    padding = {name: ~given[f"{name}_valid"] for name in ("source", "target")}

    def embedded(ids: Tensor) -> Tensor:
        steps, i = torch.arange(ids.shape[1])[:, None], torch.arange(0, width, 2)
        angles = steps / 10_000 ** (i / width).double()
        return F.embedding(ids, table) * sqrt(width) + torch.cat([angles.sin(), angles.cos()], -1)

    memory = embedded(given["source"].long())
    for number in range(blocks):
        own = _layer(p, f"encoder.{number}.", {"attention": "self_attn"})
        masks = {"src_key_padding_mask": padding["source"]}
        memory = functional_call(encode, own, memory, masks)
    y = embedded(given["target"].long())
    causal = nn.Transformer.generate_square_subsequent_mask(y.shape[1]) < 0
    for number in range(blocks):
        names = {"attention": "self_attn", "cross": "multihead_attn"}
        own = _layer(p, f"decoder.{number}.", names)
        masks = {
            "tgt_mask": causal,
            "tgt_key_padding_mask": padding["target"],
            "memory_key_padding_mask": padding["source"],
        }
        y = functional_call(decode, own, (y, memory), masks)
    logits = y @ table.T
    targets = given["targets"].long().flatten()
    F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=-1).backward()
    return {"logits": logits} | {name: array.grad for name, array in p.items()}


def _layer(p: Tensors, start: str, attentions: dict[str, str]) -> Tensors:
    """A block's parameters by the names that they have in torch.nn."""
    own = {name.removeprefix(start): a for name, a in p.items() if name.startswith(start)}
    found = {name: a for name, a in own.items() if name.startswith(("linear", "norm"))}
    for ours, theirs in attentions.items():
        for part in ("weight", "bias"):
            joined = [own[f"{ours}.{name}.{part}"] for name in ("query", "key", "value")]
            found[f"{theirs}.in_proj_{part}"] = torch.cat(joined)
            found[f"{theirs}.out_proj.{part}"] = own[f"{ours}.output.{part}"]
    return found


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    made = {}
    with np.load(folder / "given.npz") as arrays:
        every = {name: torch.tensor(array) for name, array in arrays.items()}
    for what in ("LSTM", "GRU", "Transformer"):
        start = f"{what}/"
        own = {name.removeprefix(start): a for name, a in every.items() if name.startswith(start)}
        found = transformer(own) if what == "Transformer" else recurrent(what, own)
        made |= {start + name: array.detach().numpy() for name, array in found.items()}
    np.savez(folder / "made.npz", **made)
