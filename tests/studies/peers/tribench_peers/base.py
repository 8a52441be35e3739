"""What the peers share: a program that is whole modules, which can be looked at from outside."""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from backends import base
from backends.base import Arrays, Capture, LayerVjp, Memory, NotSupported, State
from tasks.base import Batch, Task
from tasks.parameters import initial_buffers
from tasks.spec import (
    Attention,
    Layer,
    ModelSpec,
    PositionalEmbedding,
    Residual,
    local,
)

UNKNOWN = {  # fields that no peer has with another value than their default
    Attention: ("key_value_heads", "biases", "rotary"),
    PositionalEmbedding: ("offset", "count", "rows"),
}

Native = Any  # one layer's arrays as its module has them; the kind's arrays.py knows


@dataclass(frozen=True, kw_only=True)
class Inside:
    """One training step seen from outside: ``gradients`` native by layer path, the rest by path,
    canonical but for the order of an image's axes.
    """

    loss: float
    gradients: dict[str, Native]
    buffers: Arrays
    activations: Arrays


class Backend(base.Backend):
    """A peer's; ``layers``, ``losses`` and ``optimizers`` are its kind's modules."""

    layers: ClassVar[ModuleType]
    losses: ClassVar[ModuleType]
    optimizers: ClassVar[ModuleType]
    program: ClassVar[type[Program]]

    def __init__(
        self, *, device: str = "cpu", precision: str = "float32", execution: str | None = None
    ) -> None:
        super().__init__(device=device, precision=precision, execution=execution)
        if device != "cpu":
            raise NotSupported(f"{self.name} has been tried on the CPU only, not on {device}")

    def build(self, task: Task, parameters: Arrays) -> Program:
        self.check(task)
        return self.program(self, task, parameters)

    def check(self, task: Task) -> None:
        tied = {path for path, _ in task.model.ties}
        for place in task.model.places():
            own = {f"{place.path}.{name}" for name in place.layer.parameters()}
            if own & tied and own - tied:
                raise NotSupported(f"{self.name} ties all parameters of {place.path} or none")
            for name in UNKNOWN.get(type(place.layer), ()):
                plain = next(f.default for f in fields(place.layer) if f.name == name)
                if getattr(place.layer, name) != plain:
                    kind = type(place.layer).__name__
                    raise NotSupported(f"{self.name} has no {name} of {kind}")
        for what, part, known in (
            *(("layer", layer, self.layers.lower) for layer in _plain(task)),
            ("loss", task.loss, self.losses.loss),
            ("optimizer", task.optimizer, self.optimizers.optimizer),
        ):
            if known.dispatch(type(part)) is known.dispatch(object):
                raise NotSupported(f"{self.name} has no {what} {type(part).__name__}")

    def differences(self, task: Task) -> dict[str, str]:
        return self.optimizers.differences(task)


class Program:
    """See backends.base.Program. A kind gives ``put``, ``predict``, ``train_step``, ``facts`` and
    what stands last here.
    """

    arrays: ClassVar[ModuleType]

    def __init__(self, backend: Backend, task: Task, parameters: Arrays) -> None:
        self.backend, self.task = backend, task
        places = task.model.places()
        self.shapes = {place.path: place.output_shape for place in places}
        tied = {path for path, _ in task.model.ties}  # their owners stand for them
        self.owners = {
            place.path: place.layer
            for place in places
            if {f"{place.path}.{name}" for name in place.layer.parameters()} - tied
        }
        self.make()
        self.load_state(State(parameters=parameters))

    def wait(self) -> None:
        """Nothing to wait for, where every call returns when it is done."""

    def compilations(self) -> int | None:
        return None

    def numpy(self, array: Any) -> np.ndarray:
        return np.array(array, np.float64)

    def capture(self, batch: Any) -> Capture:
        inside = self.look(self.put(batch))
        return Capture(
            activations={
                path: value
                for path, value in inside.activations.items()
                # A recurrent layer that gives its last step only has nothing to compare.
                if value.shape[1:] == self.shapes[path]
            },
            loss=inside.loss,
            gradients=self.canonical(inside.gradients, gradient=True),
            input_gradients={},
            buffers=inside.buffers,
        )

    def layer_vjp(self, path: str, inputs: Any, upstream: Any, valid: Any = None) -> LayerVjp:
        raise NotSupported("a whole model has no layers to be run alone")

    def apply_update(self, gradients: Arrays) -> dict[str, np.ndarray]:
        before = self.state().parameters
        self.apply(self.native(gradients, gradient=True))
        after = self.state().parameters
        return {path: after[path] - before[path] for path in after}

    def state(self) -> State:
        return State(parameters=self.canonical(self.read()), buffers=self.read_buffers())

    def load_state(self, state: State) -> None:
        if state.step or state.moments:
            raise NotSupported("a peer starts its optimizer anew")
        buffers = initial_buffers(self.task.model) | dict(state.buffers)
        self.write(self.native(state.parameters), buffers)
        self.restart()

    def memory(self) -> Memory:
        return Memory(live_bytes=None, reserved_bytes=None)

    def native(self, arrays: Arrays, gradient: bool = False) -> dict[str, Native]:
        """Parameters, or gradients of them, as the modules have them, by layer path."""
        return {
            path: self.arrays.to_native(layer, local(arrays, path), gradient)
            for path, layer in self.owners.items()
        }

    def canonical(self, found: dict[str, Native], gradient: bool = False) -> dict[str, np.ndarray]:
        """The inverse of ``native``, by parameter path."""
        return {
            f"{path}.{name}": np.array(value, np.float64)
            for path, layer in self.owners.items()
            for name, value in self.arrays.to_canonical(layer, found[path], gradient).items()
        }

    def put(self, batch: Batch) -> Any:
        raise NotImplementedError

    def make(self) -> None:
        """The model and its optimizer, with any parameters."""
        raise NotImplementedError

    def look(self, batch: Any) -> Inside:
        """One training step that leaves no trace."""
        raise NotImplementedError

    def apply(self, gradients: dict[str, Native]) -> None:
        """One step of the optimizer."""
        raise NotImplementedError

    def read(self) -> dict[str, Native]:
        """A copy of the parameters, by layer path."""
        raise NotImplementedError

    def read_buffers(self) -> dict[str, np.ndarray]:
        """A copy of the running statistics, by path."""
        raise NotImplementedError

    def write(self, parameters: dict[str, Native], buffers: Arrays) -> None:
        """Set both."""
        raise NotImplementedError

    def restart(self) -> None:
        """Set the optimizer back to its first step."""
        raise NotImplementedError


def _plain(task: Task) -> list[Layer]:
    layers = [place.layer for place in task.model.places()]
    return [layer for layer in layers if not isinstance(layer, Residual)]


def tied(model: ModelSpec) -> dict[str, str]:
    """The paths of the layers whose parameters stand for those of other layers, by theirs."""
    return {path.rpartition(".")[0]: owner.rpartition(".")[0] for path, owner in model.ties}


def weights(targets: np.ndarray) -> np.ndarray | None:
    """1 for every target that counts and 0 for those that are left out; None where all count."""
    counts = targets >= 0
    return None if counts.all() else counts


def masks(batch: Batch) -> dict[str, Any]:
    """Which steps are valid, by the name of the input; NotSupported of an input without one."""
    if batch.valid is None:
        return {}
    if not isinstance(batch.valid, dict):
        raise NotSupported("the peers have masks of named inputs only")
    return batch.valid
