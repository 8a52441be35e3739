"""A layer alone: one type of case, one way to run it, one way to judge it.

The gate, ``tribench parity``, ``tribench conformance`` and the operators' benchmark choose cases.
The benchmark runs in a framework's own environment, so that this module needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Mask
from tasks.base import Batch, Task
from tasks.codec import bare
from tasks.parameters import probe, probe_buffers, rounded, uniform
from tasks.spec import SGD, Entry, Flatten, Input, Layer, ModelSpec, Shape

if TYPE_CHECKING:
    from suite.engine.remote import RemoteBackend, RemoteProgram

Arrays = dict[str, NDArray[Any]]
Inputs = NDArray[Any] | tuple[NDArray[Any], ...]  # of a layer of several values

ORDINARY: tuple[str, ...] = ("ordinary", "no padding")  # no error grows there
LEAST_NORM = 1e-3  # below it errors are absolute: what should be 0 has no relative error
# And below this part of the layer's largest gradient: that of a key's bias is 0 but for rounding,
# which grows with the layer (at width 768 it was 1.9e-12 in float64).
LEAST_SHARE = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A layer, its inputs (samples, ...), a tuple where it takes several values, the upstream
    gradient of its output, and which steps are valid, of the first input or of each. ``path`` is
    its place in the model that it is from, ``parameters`` its parameters and buffers by local name;
    random ones where there are none. It is run in ``training``, or else as in evaluation.

    ``kinds`` says what each index along ``axis`` is like; errors are taken for each by itself, so
    that large values do not hide small ones. Where ``finite`` is set, no more is asked for.
    """

    name: str
    layer: Layer
    inputs: Inputs
    upstream: NDArray[np.float64]
    valid: Mask = None
    path: str = "layer"
    parameters: Arrays = field(default_factory=dict)
    training: bool = True
    kinds: tuple[str, ...] = ORDINARY[:1]
    axis: int | None = None
    finite: bool = False

    @property
    def at(self) -> tuple[str, str]:
        """Which one it is among the cases of a model."""
        return self.path, self.name

    @property
    def several(self) -> tuple[NDArray[Any], ...]:
        """All that the layer is given."""
        return self.inputs if isinstance(self.inputs, tuple) else (self.inputs,)

    @property
    def task(self) -> Task:
        """A task whose model is this layer, so that an adapter can build it. A predicted picture is
        laid flat, which every backend does in one order. Cases of one layer and shape have one
        task.
        """
        inputs = {name: Input(shape=one.shape[1:]) for name, one in self.named.items()}
        given: dict[str, Any] = {"inputs": inputs} if len(inputs) > 1 else {"input": inputs[""]}
        layers: list[Entry] = [(self.path, self.layer, (*inputs,))]
        if not self.training and self.upstream.ndim == 4:
            layers.append(("flat", Flatten()))
        model = ModelSpec(name="case", layers=tuple(layers), **given)
        return bare(model, SGD(learning_rate=0.1), len(self.upstream))

    @property
    def named(self) -> Arrays:
        """The inputs by their names in that model; one alone has none."""
        if len(self.several) == 1:
            return {"": self.several[0]}
        return {f"input{number}": each for number, each in enumerate(self.several)}

    @property
    def start(self) -> Arrays:
        """The parameters and buffers of that task."""
        if self.parameters:
            return {f"{self.path}.{name}": array for name, array in self.parameters.items()}
        model = self.task.model
        found = probe(model, 0) | probe_buffers(model, 0)
        return {path: rounded(array) for path, array in found.items()}

    @property
    def batch(self) -> Batch:
        """The inputs as a whole program takes them."""
        targets = np.zeros(len(self.upstream), np.int32)
        if len(self.several) == 1:
            return Batch(inputs=self.several[0], targets=targets, valid=self.valid)
        masks = self.valid if isinstance(self.valid, tuple) else (self.valid,)
        valid = dict(zip(self.named, masks, strict=False))
        valid = {name: mask for name, mask in valid.items() if mask is not None}
        return Batch(inputs=self.named, targets=targets, valid=valid or None)

    def given(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Case:
        """The same with every input changed."""
        changed = tuple(map(change, self.several))
        return replace(self, inputs=changed if len(changed) > 1 else changed[0])


def random_case(
    samples: int,
    name: str,
    layer: Layer,
    shape: Shape | tuple[Shape, ...],
    valid: Mask = None,
    vocabulary: int | None = None,
    path: str = "layer",
) -> Case:
    """Random reals of this shape, or of these shapes where the layer takes several values, or ids
    below ``vocabulary``, and a random upstream gradient.
    """
    shapes: Any = shape if isinstance(shape[0], tuple) else (shape,)
    several = [uniform(0, f"inputs{n or ''}", (samples, *each)) for n, each in enumerate(shapes)]
    inputs: Inputs = several[0]
    if len(several) > 1:
        inputs = tuple(map(rounded, several))
    elif vocabulary is None:
        inputs = rounded(several[0])
    else:
        inputs = ((several[0] + 1) / 2 * vocabulary).astype(np.int32)
    upstream = rounded(uniform(0, "upstream", (samples, *layer.output_shape(*shapes))))
    return Case(name=name, layer=layer, inputs=inputs, upstream=upstream, valid=valid, path=path)


def run(program: RemoteProgram, case: Case) -> Arrays:
    """What a program makes of its layer alone: ``output``, ``input_gradients``, of several values
    ``input_gradients/0`` and so on, and ``gradients/NAME``. Raises what Worker.call raises.
    """
    return program.layer(case.path, case.inputs, case.upstream, case.valid)


def alone(backend: RemoteBackend, case: Case) -> Arrays:
    """The same of a program that is this layer; of one that predicts, its ``output`` only."""
    if case.training:
        return run(backend.set_to(case.task, case.start), case)
    return {"output": backend.predicted(case.task, case.start, case.batch)}


def errors(case: Case, made: Arrays, right: Arrays) -> dict[str, dict[str, float]]:
    """Of every right array, in the order of computing, the worst error of each kind."""
    gradients = [np.linalg.norm(a) for key, a in right.items() if _of_parameter(key)]
    least = max(LEAST_NORM, LEAST_SHARE * float(max(gradients, default=0.0)))
    return {
        key: _by_kind(case, key, made.get(key), a, least if _of_parameter(key) else LEAST_NORM)
        for key, a in right.items()
    }


def _of_parameter(key: str) -> bool:
    return key.startswith("gradients/")


def _by_kind(
    case: Case, key: str, made: NDArray[Any] | None, right: NDArray[Any], least: float
) -> dict[str, float]:
    """A parameter's gradient is a sum over all samples, and has one error."""
    kinds = case.kinds
    pairs: Iterable[tuple[NDArray[Any] | None, NDArray[Any]]] = [(made, right)]
    if _of_parameter(key) or case.axis is None:
        kinds = ORDINARY[:1]
    elif made is not None and made.shape == right.shape:
        pairs = zip(np.moveaxis(made, case.axis, 0), np.moveaxis(right, case.axis, 0), strict=True)
    harmless = case.finite and made is not None and np.isfinite(made).all()
    return greatest(
        (kind, 0.0 if harmless else relative(mine, wanted, least=least))
        for kind, (mine, wanted) in zip(kinds, pairs, strict=False)
    )


def greatest(found: Iterable[tuple[str, float]]) -> dict[str, float]:
    """By name, the greatest value."""
    most: dict[str, float] = {}
    for name, value in found:
        most[name] = max(value, most.get(name, 0.0))
    return most


def compare(
    made: Mapping[str, NDArray[Any]], right: Mapping[str, NDArray[Any]]
) -> dict[str, float]:
    """The error of every right array as a whole."""
    return {name: relative(made.get(name), a, least=LEAST_NORM) for name, a in right.items()}


def relative(
    value: NDArray[Any] | None,
    wanted: NDArray[Any],
    scale: float | None = None,
    least: float = 0.0,
) -> float:
    """‖value - wanted‖ / ‖wanted‖, or / ``scale``; below ``least`` it is absolute, and infinite if
    the value is missing, misshapen or not finite.
    """
    if value is None or value.shape != wanted.shape:
        return inf
    size = max(float(np.linalg.norm(wanted)) if scale is None else scale, least)
    error = float(np.linalg.norm(value - wanted))
    if not isfinite(error):
        return inf
    return error / size if size > 0 else error
