"""What every layer is: shapes in and out, parameters, floating-point operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

Shape = tuple[int, ...]


class SpecError(ValueError):
    """A model that does not fit together; the message names the layer and both shapes."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """What a layer says of one of its arrays, trained or a buffer.

    The initial values are uniform in [centre - bound, centre + bound); bound 0 makes them constant.
    Where they are ``normal`` they are those of a normal distribution that lie there, its deviation
    being half of the bound.
    """

    shape: Shape
    bound: float
    centre: float = 0.0
    normal: bool = False


def started(shape: Shape, bound: float, deviation: float | None) -> Parameter:
    """A weight whose initial values are uniform within a bound, or those of a normal distribution
    of this deviation that lie within two of it. The deviation of what is left is 0.880 of that: it
    is not corrected.
    """
    if deviation is None:
        return Parameter(shape=shape, bound=bound)
    return Parameter(shape=shape, bound=2 * deviation, normal=True)


def expect(layer: Layer, takes: bool, wanted: str, shape: Shape) -> None:
    """Raise SpecError unless the layer takes an input of this shape."""
    if not takes:
        raise SpecError(f"{type(layer).__name__} takes an input of shape {wanted}, not {shape}")


def positive(layer: Any, **values: float | None) -> None:
    """Raise SpecError unless every named value is above 0, or None."""
    for name, value in values.items():
        if value is not None and value <= 0:
            raise SpecError(f"{type(layer).__name__}: {name} (={value}) must be positive")


def one_of(layer: Any, name: str, *allowed: str) -> None:
    """Raise SpecError unless the field of this name has one of these values."""
    value = getattr(layer, name)
    if value not in allowed:
        wanted = " or ".join(allowed)
        raise SpecError(f"{type(layer).__name__}: {name} (={value}) must be {wanted}")


def divided(layer: Any, groups: int, **values: int) -> None:
    """Raise SpecError unless every named value is a multiple of ``groups``."""
    for name, value in values.items():
        if value % groups:
            kind = type(layer).__name__
            raise SpecError(f"{kind}: {name} (={value}) must be a multiple of groups (={groups})")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One step of a model. Subclasses override what is not the identity.

    ``averages`` is True of layers that take means, as pooling and normalization do: where a program
    computes in bfloat16 they keep their parameters and compute in float32, since there is no
    telling the mean of bfloat16 values far from 0 from its neighbours. ``multiplies`` is True of
    those that multiply matrices, which GPUs do in TF32 where a program computes so. ``takes`` is
    how many values a layer takes, at least and at most; one of several overrides ``output_shape``
    and ``flops`` with ``*shapes``. With ``truncated_normal`` a layer's weights start as ``started``
    has it, and its biases at 0. A ``random`` one draws numbers in training.
    """

    averages: ClassVar[bool] = False
    multiplies: ClassVar[bool] = False
    takes: ClassVar[tuple[int, float]] = (1, 1)

    @property
    def random(self) -> bool:
        """Whether training draws random numbers for it."""
        return False

    def parameters(self) -> dict[str, Parameter]:
        """The trained arrays by local name, in a fixed order."""
        return {}

    def buffers(self) -> dict[str, Parameter]:
        """Arrays that training changes without a gradient, such as running statistics."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """The shape that an input of this shape becomes; SpecError if it does not fit."""
        return shape

    def valid(self, *masks: Any) -> Any:
        """Which steps of the output are valid, (batch, steps), or None where all are, of the masks
        of what the layer takes. Theirs are any framework's arrays: only slices may be taken.
        """
        return masks[0]

    def least_batch(self, shape: Shape) -> int:
        """How many samples a training step needs at least, given inputs of this shape."""
        return 1

    def flops(self, shape: Shape) -> int:
        """Operations of one sample's forward pass: two per multiply-add of the matrix products and
        convolutions; element-wise work is not counted, as is usual (arXiv 2204.02311, appendix B).
        """
        return 0
