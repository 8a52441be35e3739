"""Keras on JAX."""

import os

import jax

os.environ["KERAS_BACKEND"] = "jax"  # before Keras is imported

from tribench_peers.keras_.backend import Keras


class Backend(Keras):
    name = "keras-jax"
    executions = ("compiled",)
    engine = jax

    def settle(self) -> None:
        jax.config.update("jax_enable_x64", self.precision == "float64")
