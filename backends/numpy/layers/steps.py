"""Layers that change which steps a sequence has, as NumPy computes them."""

from __future__ import annotations

import numpy as np

from backends.base import Backend, Context, lowers
from backends.numpy.layers.arithmetic import (
    Floats,
    Gradient,
    Gradients,
    Lowered,
    Parameters,
    convolution,
    gradient,
    valid_steps,
)
from tasks import spec


class Steps(Backend):
    """The lowerings."""

    @lowers(spec.Conv1d)
    def conv1d(
        self, layer: spec.Conv1d, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, steps, features): an image of one row."""
        valid = valid_steps(context, x)[..., None]
        row = np.where(valid, x, 0).swapaxes(1, 2)[:, :, None]
        kernel = {**parameters, "weight": parameters["weight"][:, :, None]}
        y, inner = convolution(kernel, row, (1, layer.stride), (0, layer.padding), layer.groups)

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            drow, gradients = inner(dy.swapaxes(1, 2)[:, :, None])
            value, magnitudes = gradients["weight"]
            weight = Gradient(value[:, :, 0], lambda: magnitudes()[:, :, 0])
            dx = np.where(valid, drow[:, :, 0].swapaxes(1, 2), 0)
            return dx, gradients | {"weight": weight}

        return y[:, :, 0].swapaxes(1, 2), vjp

    @lowers(spec.ClassToken)
    def class_token(
        self, layer: spec.ClassToken, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, steps, features)."""
        token = np.broadcast_to(parameters["weight"], (len(x), 1, layer.width))

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            return dy[:, 1:], {"weight": gradient("nf->f", dy[:, 0])}

        return np.concatenate((token, x), axis=1), vjp

    @lowers(spec.FirstStep)
    def first_step(
        self, layer: spec.FirstStep, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, steps, features)."""

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            dx = np.zeros_like(x)
            dx[:, 0] = dy
            return dx, {}

        return x[:, 0], vjp
