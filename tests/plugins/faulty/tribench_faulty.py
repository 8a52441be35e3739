"""Third-party adapters that subclass the PyTorch adapter and override one lowering each."""

from dataclasses import replace

import torch

from backends.base import lowers
from backends.torch import Backend
from tasks import spec


class Faulty(Backend):
    """Keras's epsilon where the spec says 1e-5."""

    name = "faulty"

    @lowers(spec.LayerNorm)
    def layer_norm(self, layer, parameters, x, context):
        return super().layer_norm(replace(layer, epsilon=1e-3), parameters, x, context)


class Careful(Backend):
    """The same function written in another way."""

    name = "careful"

    @lowers(spec.ReLU)
    def relu(self, layer, parameters, x, context):
        return torch.where(x > 0, x, 0.0)
