"""The overrides in JAX."""

from __future__ import annotations

from tribench_overridden import Overrides, Port

from backends.jax import Backend


class Overridden(Overrides, Backend):
    name = "overridden-jax"


class Ported(Port, Backend):
    name = "ported-jax"

    def whole(self, x, weight, bias):
        return x @ weight.T + bias
