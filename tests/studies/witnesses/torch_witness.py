"""What PyTorch modules of a library make of given arrays; run by the library's interpreter.

FOLDER has ``NAME.json``, the class and its arguments, and ``NAME-given.npz``: ``p/`` parameters and
buffers by the library's names, ``x/`` inputs by argument, ``targets``. ``NAME-made.npz`` gets the
evaluation's ``logits``, and in training mode the ``loss``, ``g/`` gradients and ``b/`` buffers.
Everything is float64; dropout is off.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

OTHER_NAMES = 3  # the exit code where given arrays are not the model's
Build = Callable[[str, dict[str, Any]], nn.Module]
Named = Callable[[nn.Module], dict[str, str]]


def same(model: nn.Module) -> dict[str, str]:
    """Files name every array as the module does."""
    return {name: name for name in model.state_dict()}


def main(build: Build, ignored: str, named: Named = same) -> None:
    """For each name of the command line; ``ignored`` matches what given arrays need not name;
    ``named`` gives {name in the module: name in files}, which given and made arrays have.
    """
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)  # for tables that a library computes itself
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        config = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        with np.load(folder / f"{name}-given.npz") as arrays:
            given = {key: torch.tensor(array) for key, array in arrays.items()}
        model = build(config["class"], config["arguments"]).double()
        made = _made(model, named(model), given, ignored)
        np.savez(folder / f"{name}-made.npz", **made)
        del model, given, made


def _made(
    model: nn.Module, files: dict[str, str], given: dict[str, Tensor], ignored: str
) -> dict[str, Any]:
    own = {key[2:]: array for key, array in given.items() if key.startswith("p/")}
    inputs = {key[2:]: array for key, array in given.items() if key.startswith("x/")}
    missing = [file for file in files.values() if file not in own and not re.search(ignored, file)]
    unexpected = [file for file in own if file not in files.values()]
    if missing or unexpected:
        print(f"missing: {missing[:3]}; unexpected: {unexpected[:3]}", file=sys.stderr)
        sys.exit(OTHER_NAMES)
    loaded = {name: own[file] for name, file in files.items() if file in own}
    model.load_state_dict(loaded, strict=False)
    with torch.no_grad():
        logits = _logits(model.eval(), inputs)
    loss = nn.functional.cross_entropy(
        _logits(model.train(), inputs).flatten(0, -2),
        given["targets"].flatten().long(),
        ignore_index=-1,
    )
    loss.backward()
    made = {"logits": logits.numpy(), "loss": loss.detach().numpy()}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            made[f"g/{files[name]}"] = parameter.grad.numpy()
    for name, buffer in model.named_buffers():
        made[f"b/{files.get(name, name)}"] = buffer.numpy()
    return made


def _logits(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    found = model(**inputs)
    logits: Tensor = getattr(found, "logits", found)
    return logits
