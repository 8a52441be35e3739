"""Flax (linen) modules, Optax, and one jitted step."""

import jax

from tribench_peers import base
from tribench_peers.flax_ import layers, losses, optimizers
from tribench_peers.flax_.program import Program


class Backend(base.Backend):
    name = "flax"
    framework = "flax"
    executions = ("compiled",)
    layers, losses, optimizers, program = layers, losses, optimizers, Program

    def __init__(
        self, *, device: str = "cpu", precision: str = "float32", execution: str | None = None
    ) -> None:
        super().__init__(device=device, precision=precision, execution=execution)
        jax.config.update("jax_enable_x64", precision == "float64")


__all__ = ["Backend"]
