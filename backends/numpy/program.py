"""A task as NumPy computes it: forward onto a tape of nodes, backward along it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from backends.base import Arrays, Backend, Capture, Context, LayerVjp, Mask
from backends.numpy import arrays
from backends.numpy.layers import Gradient, Gradients, Vjp
from backends.program import BaseProgram, Layout
from tasks.base import Batch, Task, each
from tasks.spec import local

Floats = NDArray[Any]


class Program(BaseProgram):
    """A task built by the reference (see ``backends.base.Program``)."""

    layout: ClassVar[Layout] = arrays

    def __init__(self, backend: Backend, task: Task, parameters: Arrays) -> None:
        self.dtype = np.dtype(backend.stored)
        super().__init__(backend, task, parameters)

    def put(self, batch: Batch) -> Batch:
        """The batch with its reals in the program's precision."""
        inputs = each(self._input, batch.inputs)
        return Batch(inputs=inputs, targets=batch.targets, valid=batch.valid)

    def predict(self, batch: Batch) -> Floats:
        """The logits (batch, classes) as in evaluation."""
        logits, _ = self._forward(batch, training=False)
        logits.tape.clear()
        return self.numpy(logits.value)

    def train_step(self, batch: Batch) -> Floats:
        """One optimizer step; returns the loss before it."""
        loss, gradients, _, self.buffers = self._differentiate(batch, scaled=False)
        self.make_update({path: gradient.value for path, gradient in gradients.items()})
        return loss

    def wait(self) -> None:
        """Nothing is ever under way."""

    def compilations(self) -> None:
        """Nothing is compiled."""

    def numpy(self, array: Any) -> Floats:
        """A copy in float64, in C's order: PyTorch's fused optimizers take a gradient in Fortran's
        for its transpose.
        """
        return np.array(array, dtype=np.float64, order="C")

    def capture(self, batch: Batch) -> Capture:
        """Inner values of a training step; ``scales`` are the reference's alone."""
        seen: dict[str, Node] = {}

        def enter(path: str, node: Node) -> Node:
            return node

        loss, gradients, inner, buffers = self._differentiate(batch, enter, seen.__setitem__)
        activations = {path: node.value for path, node in seen.items()}
        values = {path: gradient.value for path, gradient in gradients.items()}
        found = self.captured(loss, activations, values, inner, buffers)
        return replace(found, scales={path: g.scale for path, g in gradients.items()})

    def layer_vjp(
        self,
        path: str,
        inputs: NDArray[Any] | tuple[NDArray[Any], ...],
        upstream: NDArray[Any],
        valid: Mask = None,
    ) -> LayerVjp:
        """Run the layer at ``path`` alone; its gradients have local names."""
        x, masks = self.given(inputs, valid)
        own = local(self.task.model.with_ties(self.parameters), path)
        context = Context(
            path=path, training=True, buffers=self.buffers, random=self._random(), **masks
        )
        output, vjp = self.backend.compute(self.layers[path], own, x, context)
        dx, gradients = vjp(self._input(upstream))
        values = {
            name: gradients[name].value if name in gradients else 0 * value
            for name, value in own.items()
        }
        return self.of_layer(path, output, dx, values)

    def placed(self, array: NDArray[Any]) -> Floats:
        return np.array(array, self.dtype)

    def make_update(self, gradients: dict[str, Floats]) -> None:
        self.step += 1
        self.parameters, self.moments = self.backend.update(
            self.task.optimizer, self.step, self.parameters, gradients, self.moments
        )

    def facts(self) -> dict[str, str]:
        """Which NumPy, on which BLAS."""
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return {
            "kernels": f"numpy {np.__version__}, gradients by hand",
            "blas": f"{blas['name']} {blas['version']}",
        }

    def _forward(
        self, batch: Batch, training: bool, *hooks: Callable[[str, Node], Any]
    ) -> tuple[Node, Context]:
        """The logits, and what is known afterwards. ``hooks`` are those of the backend's
        ``forward``.
        """
        context = Context(
            path="",
            training=training,
            valid=batch.valid,
            buffers=self.buffers,
            random=self._random(),
        )

        def cast(total: Floats) -> Floats:
            found: Floats = self.backend.cast(total, self.backend.precision)
            return found

        start = each(partial(Node, tape=[], cast=cast), batch.inputs)
        return self.backend.forward(self.task, self.parameters, start, context, *hooks), context

    def _differentiate(
        self, batch: Batch, *hooks: Callable[[str, Node], Any], scaled: bool = True
    ) -> tuple[Floats, Gradients, dict[str, Floats], dict[str, Floats]]:
        """The loss, and by path the gradients of parameters and of plain layers' inputs, and the
        new buffers. Gradients that are not ``scaled`` keep nothing of what they were made of.
        """
        logits, context = self._forward(batch, True, *hooks)
        loss, dlogits = self.backend.loss(
            self.task.loss, logits.value, batch.targets, context.valid
        )
        found, inner = _backward(logits, dlogits, scaled)
        for path, owner in self.task.model.ties:
            if path in found:
                own = found.pop(path)
                found[owner] = _sum(found[owner], own) if owner in found else own
        for path, parameter in self.parameters.items():
            if path not in found:  # an override has cut it off
                found[path] = Gradient(np.zeros_like(parameter), lambda: np.zeros(1))
        return loss, found, inner, self.buffers | context.new_buffers

    def _random(self) -> tuple[int, int] | None:
        """The seed and the step, of which ``SeedSequence`` makes a stream."""
        return None if self.seed is None else (self.seed, self.step)

    def _input(self, array: NDArray[Any]) -> NDArray[Any]:
        """Native, reals in the program's precision; token ids as they are."""
        native = arrays.activation_to_native(array)
        return native if np.issubdtype(native.dtype, np.integer) else native.astype(self.dtype)


def _sum(one: Gradient, other: Gradient) -> Gradient:
    return Gradient(one.value + other.value, lambda: one.magnitudes() + other.magnitudes())


def _untold() -> Floats:
    raise AssertionError("a step of training tells no scales")


def _unchanged(dy: Floats) -> tuple[Floats, Gradients]:
    return dy, {}


@dataclass(eq=False)
class Node:
    """A value on the tape of all that were computed, in that order; ``vjp`` gives the gradient that
    each of the parents gets, or a tuple of theirs. The path is that of a plain layer, "" for what
    is none: the start, sums, and what names its parameters by their whole paths.
    """

    value: Any
    tape: list[Node]
    cast: Callable[[Floats], Floats]  # of a sum
    parents: tuple[Node, ...] = ()
    vjp: Vjp = _unchanged
    path: str = ""

    def __post_init__(self) -> None:
        self.tape.append(self)

    def then(self, path: str, value: Any, vjp: Vjp, *others: Node) -> Node:
        """What was computed of this value and others, with its derivative as a lowering gives
        it.
        """
        parents = (self, *others)
        return Node(
            value=value, tape=self.tape, parents=parents, vjp=vjp, path=path, cast=self.cast
        )

    def __add__(self, other: Node) -> Node:
        total = self.cast(self.value + other.value)
        return Node(value=total, tape=self.tape, parents=(self, other), cast=self.cast)


def _backward(end: Node, dy: Floats, scaled: bool) -> tuple[Gradients, dict[str, Floats]]:
    """What dy at the tape's end is for parameters and for plain layers' inputs, by path. The tape
    is empty afterwards: nodes and their tape hold each other, and two steps of BERT were 15 GB
    until the collector came.
    """
    gradients: Gradients = {}
    input_gradients: dict[str, Floats] = {}
    upstream = {end: dy}
    while end.tape:
        node = end.tape.pop()
        # The batch itself has no parents; an override of forward may have left a node out.
        if not node.parents or node not in upstream:
            continue
        dx, found = node.vjp(upstream.pop(node))
        start = f"{node.path}." if node.path else ""
        for name, gradient in found.items():
            gradients[f"{start}{name}"] = gradient if scaled else Gradient(gradient.value, _untold)
        if dx is None:
            continue
        each = dx if isinstance(dx, tuple) else (dx,) * len(node.parents)
        if node.path and len(each) == 1:
            input_gradients[node.path] = each[0]
        elif node.path:
            input_gradients |= {f"{node.path}/{number}": one for number, one in enumerate(each)}
        for parent, one in zip(node.parents, each, strict=True):
            upstream[parent] = upstream[parent] + one if parent in upstream else one
    return gradients, input_gradients
