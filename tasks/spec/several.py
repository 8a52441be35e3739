"""Layers of several values, which an entry of a body names."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

from tasks.spec.layer import Layer, Shape, SpecError


@dataclass(frozen=True, kw_only=True)
class Several(Layer):
    """What takes two values or more; a lowering gets them as a tuple."""

    takes: ClassVar[tuple[int, float]] = (2, inf)

    def flops(self, *shapes: Shape) -> int:
        return 0


@dataclass(frozen=True, kw_only=True)
class Add(Several):
    """The sum of values of one shape, from the first to the last; in bfloat16 every sum of two is
    rounded, as a residual's is.
    """

    def output_shape(self, *shapes: Shape) -> Shape:
        if len({*shapes}) > 1:
            raise SpecError(f"Add takes values of one shape, not {', '.join(map(str, shapes))}")
        return shapes[0]


@dataclass(frozen=True, kw_only=True)
class Multiply(Several):
    """The first value times the second, of one shape: a gate."""

    takes: ClassVar[tuple[int, float]] = (2, 2)

    def output_shape(self, *shapes: Shape) -> Shape:
        if shapes[0] != shapes[1]:
            raise SpecError(f"Multiply takes values of one shape, not {shapes[0]}, {shapes[1]}")
        return shapes[0]


@dataclass(frozen=True, kw_only=True)
class Concat(Several):
    """Values one after the other, in the order in which they are named, along ``axis`` of a
    sample's shape. None is the channels of images, axis 0, and the features of sequences and of
    vectors, the last axis. Steps are not joined: a mask has the steps of the batch.
    """

    axis: int | None = None

    def along(self, rank: int) -> int:
        """Which axis of a sample's shape it is, from 0; SpecError if there is none."""
        axis = self.axis
        if axis is None:
            return 0 if rank == 3 else rank - 1
        if not -rank <= axis < rank or (rank, axis % rank) == (2, 0):
            raise SpecError(f"Concat: axis (={axis}) must not be of steps, nor beyond {rank} axes")
        return axis % rank

    def output_shape(self, *shapes: Shape) -> Shape:
        axis = self.along(len(shapes[0]))
        others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
        if len(others) > 1:
            told = ", ".join(map(str, shapes))
            raise SpecError(f"Concat takes values that differ in axis {axis} alone, not {told}")
        before, after = shapes[0][:axis], shapes[0][axis + 1 :]
        return (*before, sum(shape[axis] for shape in shapes), *after)
