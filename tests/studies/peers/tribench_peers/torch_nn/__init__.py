"""torch.nn modules, torch.optim, and the loop of PyTorch's tutorials."""

from tribench_peers import base
from tribench_peers.torch_nn import layers, optimizers
from tribench_peers.torch_nn.program import Program


class Backend(base.Backend):
    name = "torch-nn"
    framework = "torch"
    executions = ("eager", "compiled")
    layers, optimizers, program = layers, optimizers, Program


__all__ = ["Backend"]
