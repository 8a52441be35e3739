"""What layers of several modules use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends.base import Context

Floats = NDArray[Any]  # all in the program's precision
Bools = NDArray[np.bool_]


class Gradient(NamedTuple):
    """A parameter's gradient, a sum of products, and what gives the same sum over absolute values:
    |A|ᵀ|dy| where the gradient is Aᵀdy.
    """

    value: Floats
    magnitudes: Callable[[], Floats]  # not at once: training has no use for it

    @property
    def scale(self) -> float:
        """The norm of the magnitudes; an error relative to it stays sensible where terms cancel."""
        return float(np.linalg.norm(self.magnitudes()))


Gradients = dict[str, Gradient]
Vjp = Callable[[Floats], tuple[Any, Gradients]]
Lowered = tuple[Floats, Vjp]
Parameters = Mapping[str, Floats]

einsum = partial(np.einsum, optimize=True)  # so that it uses BLAS where it can


def gradient(subscripts: str, *factors: Floats) -> Gradient:
    def magnitudes() -> Floats:
        found: Floats = einsum(subscripts, *(np.abs(factor) for factor in factors))
        return found

    return Gradient(einsum(subscripts, *factors), magnitudes)


def rows(x: Floats) -> Floats:
    return x.reshape(-1, x.shape[-1])


def valid_steps(context: Context, x: Floats) -> Bools:
    return np.ones(x.shape[:2], dtype=bool) if context.valid is None else context.valid


def affine(parameters: Parameters, x: Floats) -> Lowered:
    """x Wᵀ, and + b if there is one, on the last axis."""
    weight, bias = parameters["weight"], parameters.get("bias")
    y = x @ weight.T if bias is None else x @ weight.T + bias

    def vjp(dy: Floats) -> tuple[Floats, Gradients]:
        gradients = {"weight": gradient("rg,rf->gf", rows(dy), rows(x))}
        if bias is not None:
            gradients["bias"] = gradient("rg->g", rows(dy))
        return dy @ weight, gradients

    return y, vjp
