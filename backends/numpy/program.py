"""A task as NumPy computes it: forward onto a tape of nodes, backward along it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Arrays, Backend, Capture, Context, LayerVjp, Memory, State
from backends.numpy.arrays import (
    activation_to_canonical,
    activation_to_native,
    to_canonical,
    to_native,
)
from backends.numpy.layers import Gradient, Gradients, Lowered, Vjp
from tasks.base import Batch, Task
from tasks.parameters import initial_buffers
from tasks.spec import Layer, local, walk

Floats = NDArray[Any]


class Program:
    """A task built by the reference (see ``backends.base.Program``)."""

    def __init__(self, backend: Backend, task: Task, parameters: Arrays) -> None:
        self._backend, self._task = backend, task
        self._dtype = np.dtype("float64" if backend.precision == "float64" else "float32")
        self._layers = {place.path: place.layer for place in task.model.places()}
        self._owners = {
            f"{path}.{name}": (layer, name)
            for path, layer in self._layers.items()
            for name in layer.parameters()
        }
        self.load_state(State(parameters=parameters))

    def put(self, batch: Batch) -> Batch:
        """The batch with its reals in the program's precision."""
        inputs = self._real(activation_to_native(batch.inputs))
        return Batch(inputs=inputs, targets=batch.targets, valid=batch.valid)

    def predict(self, batch: Batch) -> Floats:
        """The logits (batch, classes) as in evaluation."""
        return self.numpy(self._forward(batch, training=False)[0].value)

    def train_step(self, batch: Batch) -> Floats:
        """One optimizer step; returns the loss before it."""
        loss, gradients, _, self._buffers = self._differentiate(batch)
        self._update({path: gradient.value for path, gradient in gradients.items()})
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
        activations: dict[str, Floats] = {}

        def observe(path: str, node: _Node) -> None:
            activations[path] = self._activation(node.value)

        loss, gradients, input_gradients, buffers = self._differentiate(batch, observe)
        return Capture(
            activations=activations,
            loss=float(loss),
            gradients=self._canonical({path: g.value for path, g in gradients.items()}),
            input_gradients={path: self._activation(g) for path, g in input_gradients.items()},
            buffers={path: self.numpy(buffer) for path, buffer in buffers.items()},
            scales={path: g.scale for path, g in gradients.items()},
        )

    def layer_vjp(
        self,
        path: str,
        inputs: NDArray[Any],
        upstream: NDArray[Any],
        valid: NDArray[np.bool_] | None = None,
    ) -> LayerVjp:
        """Run the layer at ``path`` alone; its gradients have local names."""
        layer = self._layers[path]
        context = Context(path=path, training=True, valid=valid, buffers=self._buffers)
        given, up = (self._real(activation_to_native(array)) for array in (inputs, upstream))
        output, vjp = self._lower(path, layer, given, context)
        dx, gradients = vjp(up)
        return LayerVjp(
            output=self._activation(output),
            input_gradients=None if dx is None else self._activation(dx),
            gradients={
                name: to_canonical(
                    layer, name, self.numpy(gradients[name].value if name in gradients else 0 * own)
                )
                for name, own in local(self._parameters, path).items()
            },
        )

    def apply_update(self, gradients: Arrays) -> dict[str, Floats]:
        """One optimizer step with the given gradients: {path: new minus old parameter}."""
        old = self._parameters
        self._update(self._native(gradients))
        return self._canonical({path: new - old[path] for path, new in self._parameters.items()})

    def state(self) -> State:
        """A copy of everything that training changes."""
        moments = {
            path: {
                name: to_canonical(*self._owners[path], self.numpy(array))
                for name, array in named.items()
            }
            for path, named in self._moments.items()
        }
        return State(
            parameters=self._canonical(self._parameters),
            buffers={path: self.numpy(buffer) for path, buffer in self._buffers.items()},
            moments=moments,
            step=self._step,
        )

    def load_state(self, state: State) -> None:
        """Continue from a copy of this state; moments that it lacks are 0."""
        self._parameters = self._native(state.parameters)
        buffers = initial_buffers(self._task.model) | dict(state.buffers)
        self._buffers = {path: np.array(value, self._dtype) for path, value in buffers.items()}
        self._moments = {
            path: {name: np.zeros_like(array) for name in self._task.optimizer.moments()}
            for path, array in self._parameters.items()
        }
        for path, moments in state.moments.items():
            for name, array in moments.items():
                self._moments[path][name] = self._parameter(path, array)
        self._step = state.step

    def memory(self) -> Memory:
        """NumPy counts nothing."""
        return Memory(live_bytes=None, reserved_bytes=None)

    def facts(self) -> dict[str, str]:
        """Which NumPy, on which BLAS."""
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return {
            "kernels": f"numpy {np.__version__}, gradients by hand",
            "blas": f"{blas['name']} {blas['version']}",
        }

    def _lower(self, path: str, layer: Layer, x: NDArray[Any], context: Context) -> Lowered:
        context.path = path
        parameters = local(self._parameters, path)
        lowered: Lowered = self._backend.compute(layer, parameters, x, context)
        return lowered

    def _forward(
        self,
        batch: Batch,
        training: bool,
        observe: Callable[[str, _Node], None] = lambda path, node: None,
    ) -> tuple[_Node, dict[str, Floats]]:
        """The logits and the new buffers."""
        context = Context(path="", training=training, valid=batch.valid, buffers=self._buffers)

        def apply(path: str, layer: Layer, x: _Node) -> _Node:
            value, vjp = self._lower(path, layer, x.value, context)
            return _Node(value=value, tape=x.tape, parents=(x,), vjp=vjp, path=path, cast=x.cast)

        def cast(total: Floats) -> Floats:
            return self._backend.cast(total, self._backend.precision)

        start = _Node(value=batch.inputs, tape=[], cast=cast)
        end: _Node = walk(self._task.model.layers, start, apply, observe)
        return end, self._buffers | context.new_buffers

    def _differentiate(
        self,
        batch: Batch,
        observe: Callable[[str, _Node], None] = lambda path, node: None,
    ) -> tuple[Floats, Gradients, dict[str, Floats], dict[str, Floats]]:
        """The loss, and by path the gradients of parameters and of plain layers' inputs, and the
        new buffers.
        """
        logits, buffers = self._forward(batch, True, observe)
        loss, dlogits = self._backend.loss(
            self._task.loss, logits.value, batch.targets, batch.valid
        )
        found, inner = _backward(logits, dlogits)
        for path, parameter in self._parameters.items():
            if path not in found:  # an override has cut it off
                found[path] = Gradient(np.zeros_like(parameter), lambda: np.zeros(1))
        return loss, found, inner, buffers

    def _update(self, gradients: dict[str, Floats]) -> None:
        self._step += 1
        self._parameters, self._moments = self._backend.update(
            self._task.optimizer, self._step, self._parameters, gradients, self._moments
        )

    def _native(self, arrays: Arrays) -> dict[str, Floats]:
        return {path: self._parameter(path, array) for path, array in arrays.items()}

    def _canonical(self, arrays: Arrays) -> dict[str, Floats]:
        return {
            path: to_canonical(*self._owners[path], self.numpy(array))
            for path, array in arrays.items()
        }

    def _parameter(self, path: str, array: NDArray[Any]) -> Floats:
        """A copy, as the lowerings take it."""
        return np.array(to_native(*self._owners[path], array), self._dtype)

    def _real(self, array: NDArray[Any]) -> NDArray[Any]:
        """Reals in the program's precision; token ids as they are."""
        return array if np.issubdtype(array.dtype, np.integer) else array.astype(self._dtype)

    def _activation(self, value: Floats) -> Floats:
        return activation_to_canonical(self.numpy(value))


def _unchanged(dy: Floats) -> tuple[Floats, Gradients]:
    return dy, {}


@dataclass(eq=False, kw_only=True)
class _Node:
    """A value on the tape of all that were computed, in that order; ``vjp`` gives the gradient that
    each of the parents gets. The path is that of a plain layer, "" for the start and for sums.
    """

    value: Any
    tape: list[_Node]
    cast: Callable[[Floats], Floats]  # of a sum
    parents: tuple[_Node, ...] = ()
    vjp: Vjp = _unchanged
    path: str = ""

    def __post_init__(self) -> None:
        self.tape.append(self)

    def __add__(self, other: _Node) -> _Node:
        total = self.cast(self.value + other.value)
        return _Node(value=total, tape=self.tape, parents=(self, other), cast=self.cast)


def _backward(end: _Node, dy: Floats) -> tuple[Gradients, dict[str, Floats]]:
    """What dy at the tape's end is for parameters and for plain layers' inputs, by path."""
    gradients: Gradients = {}
    input_gradients: dict[str, Floats] = {}
    upstream = {end: dy}
    for node in reversed(end.tape[1:]):  # all but the batch itself
        dx, found = node.vjp(upstream[node])
        gradients |= {f"{node.path}.{name}": gradient for name, gradient in found.items()}
        if dx is None:
            continue
        if node.path:
            input_gradients[node.path] = dx
        for parent in node.parents:
            upstream[parent] = upstream[parent] + dx if parent in upstream else dx
    return gradients, input_gradients
