"""What the programs of all adapters do alike: arrays come and go in their canonical form, and what
training changes is read and set. Nothing here is timed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from hashlib import sha256
from itertools import zip_longest
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.base import Array, Arrays, Capture, LayerVjp, Mask, Memory, Program, State
from tasks.base import Batch, Task, each
from tasks.parameters import initial_buffers
from tasks.spec import Layer

Floats = NDArray[np.float64]


def stream(seed: int, step: int) -> int:
    """32 bits of a seed and a step, for generators that are given one number. Neighbours have
    nothing in common.
    """
    return int.from_bytes(sha256(f"{seed} {step}".encode()).digest()[:4], "little")


class Layout(Protocol):
    """An adapter's ``arrays.py``: canonical arrays to its own and back."""

    def to_native(self, layer: Layer, name: str, array: NDArray[Any]) -> NDArray[Any]: ...

    def to_canonical(self, layer: Layer, name: str, array: NDArray[Any]) -> NDArray[Any]: ...

    def activation_to_native(self, array: NDArray[Any]) -> NDArray[Any]: ...

    def activation_to_canonical(self, array: NDArray[Any]) -> NDArray[Any]: ...


class BaseProgram(Program):
    """A task whose parameters, buffers and moments are kept by path, in the adapter's ``layout``.

    An adapter gives ``placed`` and what backends.base.Program asks for beside what stands here.
    """

    layout: ClassVar[Layout]
    parameters: dict[str, Array]
    buffers: dict[str, Array]
    moments: dict[str, dict[str, Array]]
    step: Any
    seed: int | None

    def __init__(self, backend: Any, task: Task, parameters: Arrays) -> None:
        self.backend, self.task = backend, task
        self.layers = {place.path: place.layer for place in task.model.places()}
        self.owners = {
            f"{path}.{name}": (layer, name)
            for path, layer in self.layers.items()
            for name in layer.parameters()
        }
        self.paths = tuple(task.model.parameters())
        self.seed = 0 if task.model.random else None
        self.load_state(State(parameters=parameters))

    @abstractmethod
    def placed(self, array: NDArray[Any]) -> Array:
        """A copy on the device, reals in the program's precision."""

    def hold(
        self,
        parameters: dict[str, Array],
        buffers: dict[str, Array],
        moments: dict[str, dict[str, Array]],
        step: int,
    ) -> None:
        """Continue from these."""
        self.parameters, self.buffers, self.moments = parameters, buffers, moments
        self.step = step

    def native(self, path: str, array: NDArray[Any]) -> Array:
        """A parameter, gradient or moment on the device; a copy."""
        layer, name = self.owners[path]
        return self.placed(self.layout.to_native(layer, name, array))

    def canonical(self, path: str, value: Array) -> Floats:
        """The inverse of ``native``; a copy."""
        layer, name = self.owners[path]
        return self.layout.to_canonical(layer, name, self.numpy(value)).copy()

    def activation(self, value: Array) -> Floats:
        """A layer's output or the gradient of its input, canonical; a copy."""
        return self.layout.activation_to_canonical(self.numpy(value)).copy()

    def given(
        self, inputs: NDArray[Any] | tuple[NDArray[Any], ...], valid: Mask
    ) -> tuple[Array, dict[str, Array]]:
        """What a layer alone takes, on the device: a native array or a tuple of several, and the
        masks of its context.
        """
        several = inputs if isinstance(inputs, tuple) else (inputs,)
        masks = valid if isinstance(valid, tuple) else (valid,)
        put = [
            self.put(Batch(inputs=one, targets=np.zeros(len(one), np.int32), valid=mask))
            for one, mask in zip_longest(several, masks)
        ]
        x = tuple(batch.inputs for batch in put)
        first, second, *_ = (*(batch.valid for batch in put), None)
        return x if len(x) > 1 else x[0], {"valid": first, "memory_valid": second}

    def captured(
        self,
        loss: Array,
        seen: Mapping[str, Array],
        gradients: Mapping[str, Array],
        inner: Mapping[str, Array],
        buffers: Mapping[str, Array],
    ) -> Capture:
        """Native inner values, canonical."""
        return Capture(
            activations={path: self.activation(value) for path, value in seen.items()},
            loss=float(self.numpy(loss)),
            gradients={path: self.canonical(path, gradients[path]) for path in self.paths},
            input_gradients={path: self.activation(value) for path, value in inner.items()},
            buffers={path: self.numpy(value) for path, value in buffers.items()},
        )

    def of_layer(
        self, path: str, output: Array, inner: Array | None, gradients: Mapping[str, Array]
    ) -> LayerVjp:
        """What a layer alone made, canonical; ``inner`` is the gradient of its input or a tuple of
        all that there are, ``gradients`` those of its parameters by local name.
        """
        if isinstance(inner, tuple) and len(inner) < 2:
            inner = inner[0] if inner else None
        return LayerVjp(
            output=self.activation(output),
            input_gradients=None if inner is None else each(self.activation, inner),
            gradients={
                name: self.canonical(f"{path}.{name}", value) for name, value in gradients.items()
            },
        )

    @abstractmethod
    def make_update(self, gradients: dict[str, Array]) -> None:
        """One optimizer step with native gradients."""

    def apply_update(self, gradients: Arrays) -> dict[str, Floats]:
        before = self.state().parameters
        self.make_update({path: self.native(path, gradients[path]) for path in self.paths})
        after = self.state().parameters
        return {path: after[path] - before[path] for path in after}

    def state(self) -> State:
        return State(
            parameters={path: self.canonical(path, self.parameters[path]) for path in self.paths},
            buffers={path: self.numpy(value).copy() for path, value in self.buffers.items()},
            moments={
                path: {n: self.canonical(path, value) for n, value in self.moments[path].items()}
                for path in self.paths
            },
            step=int(self.step),
            seed=self.seed,
        )

    def load_state(self, state: State) -> None:
        if self.seed is not None and state.seed is not None:
            self.seed = state.seed
        names = self.task.optimizer.moments()
        known = {
            path: state.moments.get(path) or dict.fromkeys(names, np.zeros_like(parameter))
            for path, parameter in state.parameters.items()
        }
        buffers = initial_buffers(self.task.model) | dict(state.buffers)
        self.hold(
            {path: self.native(path, state.parameters[path]) for path in self.paths},
            {path: self.placed(np.asarray(value, np.float64)) for path, value in buffers.items()},
            {path: {n: self.native(path, known[path][n]) for n in names} for path in self.paths},
            state.step,
        )

    def compilations(self) -> int | None:
        found: int | None = self.backend.compilations()
        return found

    def memory(self) -> Memory:
        return Memory(live_bytes=None, reserved_bytes=None)

    def facts(self) -> dict[str, str]:
        found: dict[str, str] = self.backend.facts(self.task)
        return found
