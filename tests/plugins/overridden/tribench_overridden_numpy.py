"""The overrides in NumPy, where a value is a node and comes with its derivative."""

from __future__ import annotations

from tribench_overridden import Overrides, Port

from backends.numpy import Backend
from backends.numpy.layers import Gradient


class Overridden(Overrides, Backend):
    name = "overridden-numpy"


class Ported(Port, Backend):
    name = "ported-numpy"

    def whole(self, x, weight, bias):
        def vjp(dy):
            found = {"fc.weight": dy.T @ x.value, "fc.bias": dy.sum(0)}
            gradients = {path: Gradient(value, lambda v=value: v) for path, value in found.items()}
            return dy @ weight, gradients

        return x.then("", x.value @ weight.T + bias, vjp)
