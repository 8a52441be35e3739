"""What an adapter owes: a Backend that lowers layers, and the Program that it builds of a task.

An adapter is a folder with the same files as the others:

    framework.py   what the suite knows of the framework without importing it
    arrays.py      canonical arrays (PyTorch's shapes, NumPy) to native ones and back
    layers/        one small function per layer type, marked with ``@lowers(type)``
    losses.py      the loss functions
    optimizers.py  the optimizers' update rules
    program.py     a built task: predict, train, look inside
    backend.py     device, precision and execution; which layers, losses and optimizers are used

A third party subclasses an adapter's Backend and overrides one lowering, ``loss`` or ``update``;
the override holds wherever the original would have been used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from backends.framework import Framework
from tasks.base import Batch, Task, each
from tasks.spec import Layer, Loss, ModelSpec, Optimizer, Residual, local, walk

_NUMBER = re.compile(r"\s*\+?[0-9]{1,10}\s*")
_MOST_THREADS = 2**31 - 1  # which is what a C int holds

Array = Any  # a framework's own array
Arrays = Mapping[str, NDArray[Any]]
Mask = Any  # (samples, steps) of bool, or a tuple of them of several values; None is all steps
Lowering = TypeVar("Lowering", bound=Callable[..., Any])

DEVICES = ("cpu", "cuda")
EXECUTIONS = ("eager", "compiled")


class Precision(NamedTuple):
    """What is known of a precision. ``unit`` is the relative error that parity counts in: that of
    one rounding, in bfloat16 half of it. A precision that is not ``timed`` is parity's alone. One
    that is ``gpu_only`` is how a GPU multiplies.
    """

    unit: float
    timed: bool = True
    gpu_only: bool = False


PRECISIONS = {
    "float64": Precision(2.0**-53, timed=False),
    "float32": Precision(2.0**-24),
    "tf32": Precision(2.0**-11, gpu_only=True),
    "bfloat16": Precision(2.0**-9),
}
TIMED = tuple(name for name, each in PRECISIONS.items() if each.timed)


class NotSupported(Exception):
    """This adapter cannot do what is asked, and why; a visible cell of a report, not a failure."""


def lowers(layer: type[Layer]) -> Callable[[Lowering], Lowering]:
    """Mark a method ``(self, layer, parameters, x, context) -> y`` as the lowering of a layer type
    and of its subclasses that have none of their own. Where a layer takes several values x is a
    tuple of them.
    """

    def mark(method: Lowering) -> Lowering:
        method.lowers = layer  # type: ignore[attr-defined]
        return method

    return mark


def formulas(function: Callable[..., Any]) -> Callable[[Lowering], Lowering]:
    """Mark ``loss`` or ``update`` as done by this single-dispatch function, so that a task with a
    type that it has no formula for is refused when it is built. An override knows for itself.
    """

    def mark(method: Lowering) -> Lowering:
        method.formulas = function  # type: ignore[attr-defined]
        return method

    return mark


def threads_asked() -> int | None:
    """What OMP_NUM_THREADS asks for: of several numbers, which are those of nested levels, the
    first (OpenMP 5.2, section 21.1.2). None where it is not set or empty; ValueError for what has
    no meaning.
    """
    text = os.environ.get("OMP_NUM_THREADS", "").strip()
    if not text:
        return None
    numbers = [int(part) if _NUMBER.fullmatch(part) else 0 for part in text.split(",")]
    if not all(0 < number <= _MOST_THREADS for number in numbers):
        raise ValueError(
            f"OMP_NUM_THREADS (={text}) must be a whole number, at least 1, or several by commas"
        )
    return numbers[0]


@dataclass(kw_only=True)
class Context:
    """What a lowering may know beside its layer, parameters and input.

    ``valid`` is (batch, steps) or None where every step is valid; ``memory_valid`` is that of the
    second value, where the layer takes several. Before ``Backend.forward`` valid is the batch's, of
    named inputs by name; while a layer is computed it is that of what the layer takes; afterwards
    the logits'. Buffers are arrays that training changes without a gradient, such as
    running statistics; they have local names. ``random`` is what the adapter's random numbers of
    this step come of, with the layer's ``number``; None where nothing is drawn, or where the
    framework's own generator was set to it.
    """

    path: str
    training: bool
    valid: Array | None = None
    memory_valid: Array | None = None
    buffers: Mapping[str, Array] = field(default_factory=dict)
    new_buffers: dict[str, Array] = field(default_factory=dict)
    random: Any = None

    @property
    def number(self) -> int:
        """32 bits that tell the layer from the others, of its path."""
        return crc32(self.path.encode())

    def buffer(self, name: str) -> Array:
        """The buffer's present value."""
        return self.buffers[f"{self.path}.{name}"]

    def set_buffer(self, name: str, value: Array) -> None:
        """What the buffer becomes after this step."""
        self.new_buffers[f"{self.path}.{name}"] = value


@dataclass(frozen=True, kw_only=True)
class Capture:
    """A program's inner values for one batch, canonical and by dotted path.

    ``activations`` holds every layer's output (images as (batch, channels, height, width)), the
    last being the logits; ``input_gradients`` the gradient with respect to what each plain layer
    was given, through that layer alone, under the layer's path (token ids have none); of several
    values under ``PATH/0`` and so on.
    ``scales`` (the reference only) is what an error of a gradient is measured by: the norm of the
    same sum taken over absolute values, which stays sensible where terms cancel.
    """

    activations: Arrays
    loss: float
    gradients: Arrays
    input_gradients: Arrays
    buffers: Arrays = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LayerVjp:
    """One layer alone: its output, and the products of the upstream gradient with its Jacobians;
    ``gradients`` by local name. Of several inputs ``input_gradients`` is a tuple.
    """

    output: NDArray[Any]
    input_gradients: NDArray[Any] | tuple[NDArray[Any], ...] | None
    gradients: Arrays


@dataclass(frozen=True, kw_only=True)
class State:
    """Everything that training changes, canonical: moments are {parameter path: {name: array}}.
    Missing moments are 0, missing buffers as ``tasks.parameters.initial_buffers`` has them. Random
    numbers of a step follow from ``seed`` and ``step``: a program whose model draws none has no
    seed, and one that loads a state without it keeps its own.
    """

    parameters: Arrays
    buffers: Arrays = field(default_factory=dict)
    moments: Mapping[str, Arrays] = field(default_factory=dict)
    step: int = 0
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The framework's own peaks in bytes; None where it has no figure. ``planned_bytes`` is what
    its compiler set aside for the step that ran last: arguments, results and temporaries.
    """

    live_bytes: int | None
    reserved_bytes: int | None
    planned_bytes: int | None = None


class Program(Protocol):
    """A task built by a backend. ``batch`` below is what ``put`` returned."""

    def put(self, batch: Batch) -> Any:
        """Move a batch to the device, inputs in the program's precision."""

    def predict(self, batch: Any) -> Array:
        """Start computing the logits (batch, classes) as in evaluation; native."""

    def train_step(self, batch: Any) -> Array:
        """Start one optimizer step; returns the loss before it, a native scalar."""

    def wait(self) -> None:
        """Return when everything started is finished."""

    def compilations(self) -> int | None:
        """How many programs have been compiled so far; None where nothing is compiled. One that is
        compiled inside a timed block makes the block void.
        """

    def numpy(self, array: Array) -> NDArray[Any]:
        """A native result as float64."""

    def capture(self, batch: Any) -> Capture:
        """Inner values of a training step at the present state, which stays as it is. Loss and
        gradients come from the graph that ``train_step`` uses.
        """

    def layer_vjp(
        self,
        path: str,
        inputs: NDArray[Any] | tuple[NDArray[Any], ...],
        upstream: NDArray[Any],
        valid: Mask = None,
    ) -> LayerVjp:
        """Run the layer at ``path`` alone on canonical inputs, several where it takes several
        values, and upstream gradient; ``valid`` is of the first, or has one of each.
        """

    def apply_update(self, gradients: Arrays) -> dict[str, NDArray[np.float64]]:
        """One optimizer step with the given gradients: {path: new minus old parameter}."""

    def state(self) -> State:
        """A copy of everything that training changes."""

    def load_state(self, state: State) -> None:
        """Continue from this state; what it lacks is as at a training's start."""

    def memory(self) -> Memory:
        """The framework's own peak figures."""

    def facts(self) -> dict[str, str]:
        """The paths that were taken: kernels, layouts, compilers, threads, substitutions."""


class Backend:
    """What all adapters share: the table of lowerings and the checks of what is asked.

    Raises NotSupported if the adapter has no such precision here, or execution. Without
    ``execution`` it uses its default, the first of ``executions``.
    """

    name: ClassVar[str]
    framework: ClassVar[str]
    precisions: ClassVar[tuple[str, ...]] = ("float64", "float32")
    executions: ClassVar[tuple[str, ...]]
    declares: ClassVar[Framework | None] = None  # by an adapter of another package
    lowerings: ClassVar[dict[type[Layer], str]] = {}

    def __init_subclass__(cls) -> None:
        inherited: dict[type[Layer], str] = {}
        for base in reversed(cls.__mro__[1:]):
            inherited |= _marked(base)
        cls.lowerings = inherited | _marked(cls)

    def __init__(
        self, *, device: str = "cpu", precision: str = "float32", execution: str | None = None
    ) -> None:
        self.device = device
        self.precision = precision
        self.execution = execution or self.executions[0]
        for what, asked, allowed in (
            ("precision", self.precision, self.offered(device)),
            ("execution", self.execution, self.executions),
        ):
            if asked not in allowed:
                raise NotSupported(f"{self.name} has no {asked} {what}, only {', '.join(allowed)}")
        self.stored = "float64" if precision == "float64" else "float32"  # what training changes

    @classmethod
    def offered(cls, device: str) -> tuple[str, ...]:
        """The precisions on this device; TF32 is how tensor cores multiply."""
        return tuple(
            each for each in cls.precisions if device == "cuda" or not PRECISIONS[each].gpu_only
        )

    def build(self, task: Task, parameters: Arrays) -> Program:
        """A program of the task at these parameters; NotSupported if a layer has no lowering."""
        raise NotImplementedError

    def loss(self, loss: Loss, logits: Array, targets: Array, valid: Array | None) -> Array:
        """The scalar that training lessens."""
        raise NotImplementedError

    def update(
        self,
        optimizer: Optimizer,
        step: Any,
        parameters: dict[str, Array],
        gradients: dict[str, Array],
        state: dict[str, dict[str, Array]],
    ) -> tuple[dict[str, Array], dict[str, dict[str, Array]]]:
        """New parameters and moments, by path. ``step`` counts from 1; ``state`` is
        {path: {moment: array}}, with the moments that the optimizer names.
        """
        raise NotImplementedError

    def lowering(self, layer: Layer) -> Callable[..., Array]:
        """The method that computes this layer, found along its class's MRO."""
        for kind in type(layer).__mro__:
            if kind in self.lowerings:
                return getattr(self, self.lowerings[kind])  # type: ignore[no-any-return]
        raise NotSupported(f"{self.name} has no lowering of {type(layer).__name__}")

    def cast(self, array: Array, precision: str) -> Array:
        """Reals in this precision, ``float32`` or ``bfloat16``; token ids as they are."""
        raise NotImplementedError

    def compute(
        self, layer: Layer, parameters: Mapping[str, Array], x: Array, context: Context
    ) -> Array:
        """The layer in this precision.

        ``tf32`` is float32 in which products round their operands to 10 bits of fraction (NVIDIA
        A100 whitepaper) and add up in float32: matrix products, convolutions and recurrences,
        forward and backward. It is a switch of the framework's, which its backend sets; in
        ``float32`` and ``bfloat16`` the same switch is off.

        Mixed precision, ``bfloat16``, is float32 but for the layers between batch and logits: each
        is given its input and its parameters in bfloat16, and gives its output so. What averages
        (``Layer.averages``) keeps its parameters and computes in float32; so do the softmax of
        attention and the state of an LSTM's cell. Products add up in float32. Parameters, their
        gradients, moments, buffers, the loss and the update are float32: Micikevicius et al. 2018
        (arXiv 1710.03740) with bfloat16, in the main as Keras's ``mixed_bfloat16`` and Flax's
        ``dtype=bfloat16`` do.
        """
        lowering = self.lowering(layer)
        if self.precision != "bfloat16":
            return lowering(layer, parameters, x, context)
        inner = "float32" if layer.averages else "bfloat16"
        if not layer.averages:
            parameters = {name: self.cast(value, inner) for name, value in parameters.items()}
        y = lowering(layer, parameters, each(lambda one: self.cast(one, inner), x), context)
        return self.cast(y, "bfloat16")

    def check(self, task: Task) -> None:
        """Raise NotSupported unless every layer of the task has a lowering, and its loss and its
        optimizer have formulas.
        """
        for place in task.model.places():
            if not isinstance(place.layer, Residual):
                self.lowering(place.layer)
        for what, part, method in (
            ("loss", task.loss, self.loss),
            ("optimizer", task.optimizer, self.update),
        ):
            known = getattr(method, "formulas", None)
            if known is not None and known.dispatch(type(part)) is known.dispatch(object):
                raise NotSupported(f"{self.name} has no {what} {type(part).__name__}")

    def differences(self, task: Task) -> dict[str, str]:
        """What of this task the adapter does by a rule of its own, and why: {part: words}, parts
        being parity's ``buffers``, ``update`` and ``trained``. They are measured and told, not
        judged; the rest is.
        """
        return {}

    def arithmetic(self) -> dict[str, str]:
        """What this process computes with, as the framework's libraries answer once they have
        worked: the processor's instructions that they use, how they multiply, threads. It may take
        a moment.
        """
        return {}

    def forward(
        self,
        task: Task,
        parameters: Mapping[str, Array],
        x: Array,
        context: Context,
        enter: Callable[[str, Array], Array] = lambda path, value: value,
        observe: Callable[[str, Array], None] = lambda path, value: None,
    ) -> Array:
        """The logits of a batch. ``observe`` sees every layer's output; what ``enter`` makes of a
        plain layer's input is what the layer gets, of several under ``PATH/0`` and so on. An
        override is given both by position, or none.
        """

        every = task.model.with_ties(parameters)

        def apply(path: str, layer: Layer, value: Array) -> Array:
            return self.compute(layer, local(every, path), entered(enter, path, value), context)

        logits = walk_masked(task.model, x, context, apply, observe)
        return self.cast(logits, "float32") if self.precision == "bfloat16" else logits


def entered(enter: Callable[[str, Array], Array], path: str, x: Array) -> Array:
    """What ``enter`` makes of what the layer at this path is given."""
    if isinstance(x, tuple):
        return tuple(enter(f"{path}/{number}", value) for number, value in enumerate(x))
    return enter(path, x)


@dataclass(eq=False)
class _Masked:
    """A value on its way through a model, and which of its steps are valid."""

    value: Array
    valid: Array | None

    def __add__(self, other: _Masked) -> _Masked:
        return _Masked(self.value + other.value, self.valid)


def walk_masked(
    model: ModelSpec,
    x: Array,
    context: Context,
    apply: Callable[[str, Layer, Array], Array],
    observe: Callable[[str, Array], None],
) -> Array:
    """As ``tasks.spec.walk``, with a mask beside each value: the context has the path and the masks
    of each layer while it is computed, and in the end that of the result.
    """
    masks = context.valid if model.input is None else {"": context.valid}
    values = x if model.input is None else {"": x}

    def step(path: str, layer: Layer, given: Any) -> _Masked:
        several = given if isinstance(given, tuple) else (given,)
        valid = [one.valid for one in several]
        context.path, context.valid, context.memory_valid = path, *[*valid, None][:2]
        given = tuple(one.value for one in several)
        y = apply(path, layer, given if len(given) > 1 else given[0])
        return _Masked(y, layer.valid(*valid))

    end = walk(
        model.layers,
        {name: _Masked(values[name], (masks or {}).get(name)) for name in model.every_input},
        step,
        lambda path, one: observe(path, one.value),
    )
    context.valid = end.valid
    return end.value


def _marked(cls: type) -> dict[type[Layer], str]:
    """The lowerings among a class's own methods, {layer type: method name}."""
    return {method.lowers: name for name, method in vars(cls).items() if hasattr(method, "lowers")}
