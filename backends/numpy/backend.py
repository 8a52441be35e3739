"""The reference's Backend: one device, one execution."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Arrays, NotSupported, formulas
from backends.numpy import losses, optimizers
from backends.numpy.layers import Layers
from backends.numpy.program import Program
from tasks.base import Task
from tasks.spec import CrossEntropy, Optimizer

Floats = NDArray[Any]


class Backend(Layers):
    """NumPy on the CPU, step by step as the specs' docstrings say. In float64 it is the truth; in
    float32 it shows how far correct arithmetic of that precision strays from it.

    An override of a lowering or of ``loss`` returns its derivative too; see ``layers``.
    """

    name = "numpy"
    framework = "numpy"
    executions = ("eager",)

    def __init__(
        self, *, device: str = "cpu", precision: str = "float64", execution: str | None = None
    ) -> None:
        super().__init__(device=device, precision=precision, execution=execution)
        if device != "cpu":
            raise NotSupported(f"{self.name} has no {device} device, only cpu")

    def build(self, task: Task, parameters: Arrays) -> Program:
        """A program of the task at these parameters, which are copied."""
        self.check(task)
        return Program(self, task, parameters)

    @formulas(losses.loss)
    def loss(
        self,
        loss: CrossEntropy,
        logits: Floats,
        targets: NDArray[np.int32],
        valid: NDArray[np.bool_] | None,
    ) -> tuple[Floats, Floats]:
        """The scalar that training lessens and its gradient with respect to the logits."""
        return losses.loss(loss, logits, targets, valid)

    @formulas(optimizers.update)
    def update(
        self,
        optimizer: Optimizer,
        step: Any,
        parameters: dict[str, Floats],
        gradients: dict[str, Floats],
        state: dict[str, dict[str, Floats]],
    ) -> tuple[dict[str, Floats], dict[str, dict[str, Floats]]]:
        """New parameters and moments, by path (see ``backends.base.Backend.update``)."""
        return optimizers.update(optimizer, step, parameters, gradients, state)
