"""Layers that change which steps a sequence has, shape (steps, features)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt
from typing import Any, ClassVar

from tasks.spec.layer import Layer, Parameter, Shape, SpecError, divided, expect, positive


@dataclass(frozen=True, kw_only=True)
class Conv1d(Layer):
    """Cross-correlation along the steps: y[i, o] = b[o] + Σ over c, u of w[o, c, u]
    x[si + u - p, c], ``groups`` as of Conv2d.

    ``padding`` zeros stand at both ends, and steps that are not valid count as 0 too. A step of the
    result is valid where the one in the middle of its window is, with an even kernel the later one.
    """

    multiplies: ClassVar[bool] = True

    in_features: int
    out_features: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        positive(self, in_features=self.in_features, out_features=self.out_features)
        positive(self, kernel_size=self.kernel_size, stride=self.stride, groups=self.groups)
        divided(self, self.groups, in_features=self.in_features, out_features=self.out_features)
        if not 0 <= 2 * self.padding < self.kernel_size:  # else a middle may lie in the padding
            wanted = f"at least 0 and below half of kernel_size (={self.kernel_size})"
            raise SpecError(f"Conv1d: padding (={self.padding}) must be {wanted}")

    def parameters(self) -> dict[str, Parameter]:
        seen = (self.in_features // self.groups, self.kernel_size)
        bound = 1 / sqrt(prod(seen))
        weight = Parameter(shape=(self.out_features, *seen), bound=bound)
        bias = {"bias": Parameter(shape=(self.out_features,), bound=bound)} if self.bias else {}
        return {"weight": weight} | bias

    def output_shape(self, shape: Shape) -> Shape:
        least = self.kernel_size - 2 * self.padding
        fits = len(shape) == 2 and shape[0] >= least and shape[1] == self.in_features
        expect(self, fits, f"(steps >= {least}, {self.in_features})", shape)
        return ((shape[0] - least) // self.stride + 1, self.out_features)

    def valid(self, *masks: Any) -> Any:
        if masks[0] is None:
            return None
        first, steps = self.kernel_size // 2 - self.padding, masks[0].shape[1]
        made, _ = self.output_shape((steps, self.in_features))
        return masks[0][:, first : first + (made - 1) * self.stride + 1 : self.stride]

    def flops(self, shape: Shape) -> int:
        seen = self.in_features // self.groups * self.kernel_size
        return 2 * seen * prod(self.output_shape(shape))


@dataclass(frozen=True, kw_only=True)
class ClassToken(Layer):
    """A trained step in front of the others, which must all be valid (arXiv 1810.04805, arXiv
    2010.11929).
    """

    width: int

    def __post_init__(self) -> None:
        positive(self, width=self.width)

    def parameters(self) -> dict[str, Parameter]:
        return {"weight": Parameter(shape=(self.width,), bound=1 / sqrt(self.width))}

    def output_shape(self, shape: Shape) -> Shape:
        fits = len(shape) == 2 and shape[1] == self.width
        expect(self, fits, f"(steps, {self.width})", shape)
        return (shape[0] + 1, self.width)

    def valid(self, *masks: Any) -> None:
        if masks[0] is not None:
            raise SpecError("ClassToken takes a sequence without padding")


@dataclass(frozen=True, kw_only=True)
class FirstStep(Layer):
    """The features of the first step, whether it is valid or not."""

    def output_shape(self, shape: Shape) -> Shape:
        expect(self, len(shape) == 2, "(steps, features)", shape)
        return shape[1:]

    def valid(self, *masks: Any) -> None:
        """No steps are left."""
