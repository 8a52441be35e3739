"""torchvision's models; see torch_witness.py. Where its compiled operators do not load, beside a
PyTorch that they were not built for, their names are declared before: no model here calls one.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch_witness import main

OPERATORS = re.compile(r'register_(?:meta\(|fake\("torchvision::)"?(\w+)"')


def declare() -> torch.library.Library:
    """Every operator that torchvision registers an abstract implementation of."""
    spec = importlib.util.find_spec("torchvision")
    assert spec is not None
    assert spec.submodule_search_locations
    text = Path(spec.submodule_search_locations[0], "_meta_registrations.py").read_text("utf-8")
    library = torch.library.Library("torchvision", "DEF")
    for name in sorted(set(OPERATORS.findall(text))):
        library.define(f"{name}(Tensor x) -> Tensor")
    return library


def build(name: str, arguments: dict[str, Any]) -> nn.Module:
    """A model of torchvision.models; a ResNet by its blocks."""
    from torchvision import models

    if name == "ResNet":
        return models.ResNet(models.resnet.Bottleneck, **arguments)
    model: nn.Module = getattr(models, name)(**arguments)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


if __name__ == "__main__":
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        KEPT = declare()
    main(build, r"num_batches_tracked$")
