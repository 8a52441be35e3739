"""How MLX is set up: device and precision. Its BLAS takes its threads from the environment."""

from __future__ import annotations

import mlx.core as mx

from backends.base import Arrays, NotSupported, formulas
from tasks import spec
from tasks.base import Task
from tribench_mlx import losses, optimizers
from tribench_mlx.framework import FRAMEWORK
from tribench_mlx.layers import Layers
from tribench_mlx.program import Program


class Backend(Layers):
    """MLX on the CPU, evaluated step by step."""

    name = "mlx"
    framework = "mlx"
    precisions = ("float64", "float32")
    executions = ("eager",)
    declares = FRAMEWORK

    def __init__(
        self, *, device: str = "cpu", precision: str = "float32", execution: str | None = None
    ) -> None:
        super().__init__(device=device, precision=precision, execution=execution)
        if device != "cpu":
            raise NotSupported(f"mlx has no {device} device here, only cpu")
        mx.set_default_device(mx.cpu)
        self.dtype = mx.float64 if precision == "float64" else mx.float32

    def build(self, task: Task, parameters: Arrays) -> Program:
        self.check(task)
        return Program(self, task, parameters)

    @formulas(losses.loss)
    def loss(
        self, loss: spec.Loss, logits: mx.array, targets: mx.array, valid: mx.array | None
    ) -> mx.array:
        return losses.loss(loss, logits, targets, valid)

    @formulas(optimizers.update)
    def update(self, optimizer, step, parameters, gradients, state):
        return optimizers.update(optimizer, step, parameters, gradients, state)

    def compilations(self) -> None:
        """Nothing is compiled."""

    def facts(self, task: Task) -> dict[str, str]:
        """What this adapter does, for the reports."""
        return {
            "mlx": mx.__version__,
            "image layout": "channels last",
            "recurrence": "unrolled; inputs projected beforehand",
            "attention": "by hand",
            "optimizer": "own formulas",
            "device": "cpu",
            "substitutions": "none"
            if self.dtype == mx.float32
            else "convolutions as matrix products, and exp, erf and sigmoid of expm1 and tanh, for "
            "MLX's, which compute in float32",
        }
