"""A Flax model and its jitted training step."""

from __future__ import annotations

from functools import partial
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.training import train_state
from jax import Array

from backends.base import Arrays
from tasks.base import Batch, each
from tribench_peers import base
from tribench_peers.flax_ import arrays, layers, losses, optimizers


class TrainState(train_state.TrainState):
    batch_stats: Any


@flax.struct.dataclass
class Resident:
    """A batch as JAX's arrays."""

    inputs: Array | dict[str, Array]
    targets: Array
    valid: dict[str, Array] | None = None
    weights: Array | None = None


class Program(base.Program):
    arrays = arrays

    def make(self) -> None:
        self.dtype = jnp.dtype(self.backend.precision)
        self.model = layers.Model(self.task.model)
        self.optimizer = optimizers.optimizer(self.task.optimizer)
        self.latest: Array | None = None
        self.run_step = jax.jit(self.step, donate_argnums=0)
        self.run_predict = jax.jit(self.logits)
        self.run_gradients = jax.jit(jax.value_and_grad(self.loss, has_aux=True))
        self.run_inside = jax.jit(self.inside)

    def put(self, batch: Batch | Resident) -> Resident:
        if isinstance(batch, Resident):
            return batch
        return Resident(
            inputs=each(self.input, batch.inputs),
            targets=jnp.array(np.maximum(batch.targets, 0), jnp.int32),
            valid=each(jnp.array, base.masks(batch)) or None,
            weights=each(partial(jnp.array, dtype=self.dtype), base.weights(batch.targets)),
        )

    def input(self, array: np.ndarray) -> Array:
        """Reals in this precision, images channels-last."""
        array = array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
        real = np.issubdtype(array.dtype, np.floating)
        return jnp.array(array, self.dtype if real else jnp.int32)

    def predict(self, batch: Batch | Resident) -> Array:
        batch = self.put(batch)
        self.latest = self.run_predict(
            self.now.params, self.now.batch_stats, batch.inputs, batch.valid
        )
        return self.latest

    def train_step(self, batch: Batch | Resident) -> Array:
        self.now, self.latest = self.run_step(self.now, self.put(batch))
        return self.latest

    def wait(self) -> None:
        jax.block_until_ready((self.latest, self.now))

    def compilations(self) -> int | None:
        return self.run_step._cache_size() + self.run_predict._cache_size()

    def facts(self) -> dict[str, str]:
        return {
            "flax": flax.__version__,
            "optax": optax.__version__,
            "jax": jax.__version__,
            "compiler": f"jax.jit, XLA of jaxlib {jax.lib.__version__}",
            "modules": "flax.linen",
            "optimizer": f"optax, for {type(self.task.optimizer).__name__}",
            "donation": "the train state",
        }

    def look(self, batch: Resident) -> base.Inside:
        params, stats = self.now.params, self.now.batch_stats
        (loss, after), gradients = self.run_gradients(params, stats, batch)
        shown = self.run_inside(params, stats, batch)
        return base.Inside(
            loss=float(loss),
            gradients=self._by_path(gradients),
            buffers=_buffers(after),
            activations={
                name.removesuffix(layers.OUTPUT): _activation(values[0])
                for name, values in shown.items()
            },
        )

    def apply(self, gradients: dict[str, base.Native]) -> None:
        given = self._tree(gradients)
        self.now = self.now.apply_gradients(grads=given)

    def read(self) -> dict[str, base.Native]:
        return self._by_path(self.now.params)

    def read_buffers(self) -> dict[str, np.ndarray]:
        return _buffers(self.now.batch_stats)

    def write(self, parameters: dict[str, base.Native], buffers: Arrays) -> None:
        stats: dict[str, dict[str, Array]] = {}
        for path, value in buffers.items():
            owner, _, name = path.rpartition(".")
            stats.setdefault(owner, {})[STATISTICS[name]] = jnp.array(value, self.dtype)
        self.now = TrainState.create(
            apply_fn=self.model.apply,
            params=self._tree(parameters),
            tx=self.optimizer,
            batch_stats=stats,
        )
        self.latest = None

    def restart(self) -> None:
        """``write`` has made a new state."""

    def logits(self, params: Any, stats: Any, inputs: Any, valid: Any) -> Array:
        """Evaluation."""
        variables = {"params": params, "batch_stats": stats}
        return self.model.apply(variables, inputs, valid, False, self.dtype)

    def loss(self, params: Any, stats: Any, batch: Resident) -> tuple[Array, Any]:
        """The loss, and the new running statistics."""
        logits, changed = self._trained(params, stats, batch, "batch_stats")
        loss = losses.loss(self.task.loss, logits, batch.targets, batch.weights)
        return loss, changed.get("batch_stats", stats)

    def inside(self, params: Any, stats: Any, batch: Resident) -> Any:
        """What every layer makes."""
        shown = self._trained(params, stats, batch, "batch_stats", "intermediates")[1]
        return shown["intermediates"]

    def step(self, state: TrainState, batch: Resident) -> tuple[TrainState, Array]:
        """A whole training step, which gives the old state's memory back."""
        differentiate = jax.value_and_grad(self.loss, has_aux=True)
        (loss, stats), gradients = differentiate(state.params, state.batch_stats, batch)
        return state.apply_gradients(grads=gradients, batch_stats=stats), loss

    def _trained(
        self, params: Any, stats: Any, batch: Resident, *mutable: str
    ) -> tuple[Array, Any]:
        variables = {"params": params, "batch_stats": stats}
        given = batch.inputs, batch.valid, True, self.dtype
        return self.model.apply(variables, *given, mutable=list(mutable))

    def _tree(self, native: dict[str, base.Native]) -> Any:
        named = {
            f"{path}{end}": tree for path, trees in native.items() for end, tree in trees.items()
        }
        return jax.tree.map(lambda array: jnp.array(array, self.dtype), named)

    def _by_path(self, tree: Any) -> dict[str, base.Native]:
        found = jax.tree.map(lambda array: np.array(array, np.float64), tree)
        return {
            path: {end: found[f"{path}{end}"] for end in arrays.ends(layer)}
            for path, layer in self.owners.items()
        }


STATISTICS = {"running_mean": "mean", "running_var": "var"}


def _buffers(stats: Any) -> dict[str, np.ndarray]:
    return {
        f"{path}.{name}": np.array(arrays[own], np.float64)
        for path, arrays in stats.items()
        for name, own in STATISTICS.items()
    }


def _activation(value: Array) -> np.ndarray:
    array = np.array(value, np.float64)
    return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array
