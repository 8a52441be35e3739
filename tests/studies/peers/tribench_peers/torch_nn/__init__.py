"""torch.nn modules, torch.optim, and the loop of PyTorch's tutorials."""

from tribench_peers import base
from tribench_peers.torch_nn import layers, losses, optimizers
from tribench_peers.torch_nn.program import Program


class Backend(base.Backend):
    name = "torch-nn"
    framework = "torch"
    executions = ("eager", "compiled")
    layers, losses, optimizers, program = layers, losses, optimizers, Program


__all__ = ["Backend"]
