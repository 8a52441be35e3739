"""The reference's Backend: one device, one execution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Arrays, Context, NotSupported, entered, formulas, walk_masked
from backends.formats import Operand, plain, to_bfloat16
from backends.numpy import losses, optimizers
from backends.numpy.layers import Gradients, Layers, Lowered
from backends.numpy.program import Node, Program
from tasks.base import Task, each
from tasks.spec import Layer, Loss, Optimizer, local

Floats = NDArray[Any]


class Backend(Layers):
    """NumPy on the CPU, step by step as the specs' docstrings say. In float64 it is the truth; in
    float32 it shows how far correct arithmetic of that precision strays from it.

    An override of a lowering or of ``loss`` returns its derivative too, see ``layers``; one of
    ``forward`` takes a node of the tape and returns another.
    """

    name = "numpy"
    framework = "numpy"
    precisions = ("float64", "float32", "tf32", "bfloat16")
    executions = ("eager",)

    def __init__(
        self, *, device: str = "cpu", precision: str = "float64", execution: str | None = None
    ) -> None:
        super().__init__(device=device, precision=precision, execution=execution)
        if device != "cpu":
            raise NotSupported(f"{self.name} has no {device} device, only cpu")

    @classmethod
    def offered(cls, device: str) -> tuple[str, ...]:
        """All: it rounds by itself."""
        return cls.precisions

    def build(self, task: Task, parameters: Arrays) -> Program:
        """A program of the task at these parameters, which are copied."""
        self.check(task)
        return Program(self, task, parameters)

    def compute(
        self, layer: Layer, parameters: Mapping[str, Floats], x: Any, context: Context
    ) -> Lowered:
        """With what goes back rounded where what went forward was."""
        lowering = self.lowering(layer)
        if self.precision == "tf32" and layer.multiplies:
            return _in_tf32(lowering, layer, parameters, x, context)
        if self.precision != "bfloat16":
            return lowering(layer, parameters, x, context)  # type: ignore[no-any-return]
        own = parameters if layer.averages else {n: to_bfloat16(p) for n, p in parameters.items()}
        y, vjp = lowering(layer, own, each(lambda one: self.cast(one, "bfloat16"), x), context)

        def rounded(dy: Floats) -> tuple[Any, Gradients]:
            dx, gradients = vjp(to_bfloat16(dy))
            if not layer.averages:
                gradients = {
                    name: gradient._replace(value=to_bfloat16(gradient.value))
                    for name, gradient in gradients.items()
                }
            return None if dx is None else each(to_bfloat16, dx), gradients

        return to_bfloat16(y), rounded

    def forward(
        self,
        task: Task,
        parameters: Mapping[str, Floats],
        x: Node,
        context: Context,
        enter: Callable[[str, Node], Node] = lambda path, node: node,
        observe: Callable[[str, Node], None] = lambda path, node: None,
    ) -> Node:
        """The logits of a batch (see ``backends.base.Backend.forward``), on the tape that its
        inputs are on.
        """

        every = task.model.with_ties(parameters)

        def apply(path: str, layer: Layer, node: Any) -> Node:
            given = entered(enter, path, node)
            x = each(lambda one: one.value, given)
            y, vjp = self.compute(layer, local(every, path), x, context)
            first, *others = given if isinstance(given, tuple) else (given,)
            made: Node = first.then(path, y, vjp, *others)
            return made

        logits: Node = walk_masked(task.model, x, context, apply, observe)
        return logits

    @formulas(losses.loss)
    def loss(
        self,
        loss: Loss,
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

    def cast(self, array: NDArray[Any], precision: str) -> NDArray[Any]:
        """Values of bfloat16 stay float32 arrays: NumPy has no such type."""
        real = precision == "bfloat16" and np.issubdtype(array.dtype, np.floating)
        return to_bfloat16(array) if real else array


def _in_tf32(
    lowering: Callable[..., Lowered],
    layer: Layer,
    parameters: Mapping[str, Floats],
    x: Any,
    context: Context,
) -> Lowered:
    """Operands of products rounded, forward and backward; sums and all else in float32."""
    own = {name: value.view(Operand) for name, value in parameters.items()}
    y, vjp = lowering(layer, own, each(lambda one: one.view(Operand), x), context)

    def back(dy: Floats) -> tuple[Any, Gradients]:
        dx, found = vjp(dy.view(Operand))
        return each(plain, dx), {
            name: gradient._replace(value=plain(gradient.value)) for name, gradient in found.items()
        }

    return plain(y), back
