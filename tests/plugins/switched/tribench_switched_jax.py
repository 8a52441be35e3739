"""JAX with TF32 left on in float32: what parity must notice on a GPU. On the CPU the same."""

from __future__ import annotations

import jax

from backends.jax import Backend


class Switched(Backend):
    """As a script has it that never heard of the setting."""

    name = "jax-switched"

    def __init__(self, **chosen) -> None:
        super().__init__(**chosen)
        jax.config.update("jax_default_matmul_precision", "default")
