"""How JAX is set up: device, precision, threads, and what is compiled."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakSet

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from backends.base import Arrays, NotSupported, formulas
from backends.jax import losses, optimizers
from backends.jax.layers import Layers
from backends.jax.optimizers import Moments, Tree
from backends.jax.program import Program
from tasks import spec
from tasks.base import Task

DTYPES = {
    "float64": np.dtype(np.float64),
    "float32": np.dtype(np.float32),
    "bfloat16": jnp.dtype(jnp.bfloat16),
}
WIDEST = ("avx512f", "avx2", "avx", "sse4.2", "sve", "neon")
PRODUCTS = {"tf32": "tensorfloat32"}  # else float32 throughout, "highest"


class Backend(Layers):
    """JAX, compiled. Precision is a setting of the whole process: one at a time."""

    name = "jax"
    framework = "jax"
    precisions = ("float64", "float32", "tf32", "bfloat16")
    executions = ("compiled",)

    def __init__(
        self, *, device: str = "cpu", precision: str = "float32", execution: str | None = None
    ) -> None:
        if execution == "eager":
            raise NotSupported(
                "JAX has no eager execution worth the name: without jit it dispatches one "
                "operation at a time; only compiled"
            )
        super().__init__(device=device, precision=precision, execution=execution)
        try:
            self.target = jax.devices(device)[0]
        except RuntimeError as error:
            raise NotSupported(f"this JAX finds no {device} device") from error
        self.dtype = DTYPES[self.stored]
        self.compiled: WeakSet[Any] = WeakSet()
        jax.config.update("jax_enable_x64", precision == "float64")
        # By default GPUs multiply in TF32.
        jax.config.update("jax_default_matmul_precision", PRODUCTS.get(precision, "highest"))

    def build(self, task: Task, parameters: Arrays) -> Program:
        self.check(task)
        return Program(self, task, parameters)

    @formulas(losses.loss)
    def loss(self, loss: spec.Loss, logits: Array, targets: Array, valid: Array | None) -> Array:
        return losses.loss(loss, logits, targets, valid)

    @formulas(optimizers.update)
    def update(
        self,
        optimizer: spec.Optimizer,
        step: Array,
        parameters: Tree,
        gradients: Tree,
        state: Moments,
    ) -> tuple[Tree, Moments]:
        return optimizers.update(optimizer, step, parameters, gradients, state)

    def cast(self, array: Array, precision: str) -> Array:
        real = jnp.issubdtype(array.dtype, jnp.floating)
        return array.astype(DTYPES[precision]) if real else array

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """The function as this execution runs it."""
        run: Callable[..., Any] = jax.jit(function, **options)
        self.compiled.add(run)
        return run

    def compilations(self) -> int | None:
        """How many executables the living programs have."""
        found: int = sum(run._cache_size() for run in self.compiled)
        return found

    def facts(self, task: Task) -> dict[str, str]:
        """What this adapter does, for the reports."""
        return {
            "jax": jax.__version__,
            "build": _build(),
            "compiler": f"jax.jit, XLA of jaxlib {jax.lib.__version__}",
            "image layout": "channels last",
            "recurrence": "lax.scan; inputs projected beforehand, on the CPU in training only"
            if self.device == "cpu"
            else "cuDNN's LSTM where a float32 one is trained; else lax.scan, inputs projected "
            "beforehand",
            "attention": "by hand, exact",
            "optimizer": "own formulas, in the step's program",
            "donation": "parameters, buffers, moments, step",
            "threads": _threads(),
            "device": self.target.device_kind,
            "tf32": "on" if jax.config.jax_default_matmul_precision == PRODUCTS["tf32"] else "off",
            "substitutions": "max pooling by slices, for lax.reduce_window; attention by hand, "
            "for jax.nn.dot_product_attention",
        }

    def arithmetic(self) -> dict[str, str]:
        """XLA's instructions on the CPU, as a small executable has them."""
        told = {"float32 products": str(jax.config.jax_default_matmul_precision)}
        return told | (_instructions() if self.device == "cpu" else {})


@cache
def _instructions() -> dict[str, str]:
    """The widest that XLA compiles for (0.3 s). No function tells it; LLVM's names of what is
    switched on and off stand in an executable that is written down.
    """
    run = jax.jit(lambda x: x + 1).lower(np.zeros(8, np.float32)).compile()
    try:
        written = run.runtime_executable().serialize()
    except (AttributeError, RuntimeError):  # other versions, which may write none
        return {}
    on = {name.decode() for name in re.findall(rb"\+([a-z0-9.]+)", written)}
    widest = next((name for name in WIDEST if name in on), None)
    return {} if widest is None else {"instructions": f"XLA {widest.upper()}"}


def _threads() -> str:
    """How many threads XLA's CPU pool has, counted by their name."""
    names = Path("/proc/self/task").glob("*/comm")
    count = sum(name.read_text().startswith("tf_XLAEigen") for name in names)
    return str(count or "unknown")


def _build() -> str:
    """What XLA's client says of itself: of CUDA, its versions."""
    client = jax.devices()[0].client
    told = " ".join(client.platform_version.split())
    return f"jaxlib {jax.lib.__version__}, {client.platform} {told}"
