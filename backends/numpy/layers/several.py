"""Layers of several values as NumPy computes them."""

from __future__ import annotations

import numpy as np

from backends.base import Backend, Context, lowers
from backends.numpy.layers.arithmetic import Floats, Lowered, Parameters
from tasks import spec


class Several(Backend):
    """The lowerings."""

    @lowers(spec.Add)
    def add(
        self, layer: spec.Add, parameters: Parameters, x: tuple[Floats, ...], context: Context
    ) -> Lowered:
        """Any shape."""
        total = x[0]
        for one in x[1:]:
            total = self.cast(total + one, self.precision)
        return total, lambda dy: ((dy,) * len(x), {})

    @lowers(spec.Multiply)
    def multiply(
        self, layer: spec.Multiply, parameters: Parameters, x: tuple[Floats, ...], context: Context
    ) -> Lowered:
        """Any shape."""
        return x[0] * x[1], lambda dy: ((dy * x[1], dy * x[0]), {})

    @lowers(spec.Concat)
    def concat(
        self, layer: spec.Concat, parameters: Parameters, x: tuple[Floats, ...], context: Context
    ) -> Lowered:
        """Images are (batch, channels, height, width)."""
        axis = 1 + layer.along(x[0].ndim - 1)
        ends = np.cumsum([one.shape[axis] for one in x])[:-1]
        return np.concatenate(x, axis), lambda dy: (tuple(np.split(dy, ends, axis)), {})
