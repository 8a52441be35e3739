"""A task built in JAX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from backends.base import Arrays, Capture, Context, LayerVjp, Mask, Memory
from backends.jax import arrays
from backends.jax.optimizers import Moments, Tree
from backends.program import BaseProgram, Layout
from tasks.base import Batch, Task, each
from tasks.spec import local

if TYPE_CHECKING:
    from backends.jax.backend import Backend


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Resident:
    """A batch on the device."""

    inputs: Array | dict[str, Array]
    targets: Array
    valid: Array | dict[str, Array] | None


class Program(BaseProgram):
    """See backends.base.Program."""

    layout: ClassVar[Layout] = arrays

    def __init__(self, backend: Backend, task: Task, parameters: Arrays) -> None:
        self.latest: Array | None = None
        self.key: Array | None = None
        self.ran: tuple[Any, Resident] | None = None
        super().__init__(backend, task, parameters)
        self.run_predict = backend.compile(self.logits)
        self.run_step = backend.compile(self._training_step, donate_argnums=(0, 1, 2, 3))
        self.run_gradients = backend.compile(self.gradients)
        self.run_update = backend.compile(self.update)
        self.run_inner = backend.compile(jax.grad(self._tapped_loss, has_aux=True))
        self.run_vjp = backend.compile(self._vjp, static_argnums=0)

    def put(self, batch: Batch | Resident) -> Resident:
        if isinstance(batch, Resident):
            return batch
        return Resident(
            inputs=each(self._input, batch.inputs),
            targets=self.placed(np.asarray(batch.targets, np.int32)),
            valid=each(self.placed, batch.valid),
        )

    def predict(self, batch: Batch | Resident) -> Array:
        batch = self.put(batch)
        self.latest = self.run_predict(self.parameters, self.buffers, batch.inputs, batch.valid)
        self.ran = (self.run_predict, batch)
        return self.latest

    def train_step(self, batch: Batch | Resident) -> Array:
        batch = self.put(batch)
        self.latest, self.parameters, self.buffers, self.moments, self.step = self.run_step(
            self.parameters, self.buffers, self.moments, self.step, batch, self.key
        )
        self.ran = (self.run_step, batch)
        return self.latest

    def wait(self) -> None:
        # XLA runs what was started in order, so that the last ones stand for all.
        jax.block_until_ready((self.latest, self.parameters, self.buffers, self.moments, self.step))

    def numpy(self, array: Array) -> NDArray[Any]:
        inner = jnp.bfloat16 if self.backend.precision == "bfloat16" else self.backend.dtype
        assert array.dtype in (self.backend.dtype, inner), array.dtype
        assert array.devices() == {self.backend.target}, array.devices()
        return np.array(array, np.float64)

    def capture(self, batch: Batch | Resident) -> Capture:
        batch = self.put(batch)
        entered: Tree = {}
        random = _of_step(self.key, self.step)
        jax.eval_shape(
            lambda *given: self.training_loss(*given, entered.setdefault, _unseen)[0],
            self.parameters,
            self.buffers,
            batch,
            random,
        )
        taps = {
            path: np.zeros(value.shape, value.dtype)
            for path, value in entered.items()
            if jnp.issubdtype(value.dtype, jnp.floating)
        }
        inner, seen = self.run_inner(taps, self.parameters, self.buffers, batch, random)
        loss, gradients, buffers = self.run_gradients(self.parameters, self.buffers, batch, random)
        seen = {path: seen[path] for path in self.layers if path in seen}
        inner = {path: inner[path] for path in taps}
        return self.captured(loss, seen, gradients, inner, buffers)

    def layer_vjp(
        self,
        path: str,
        inputs: NDArray[Any] | tuple[NDArray[Any], ...],
        upstream: NDArray[Any],
        valid: Mask = None,
    ) -> LayerVjp:
        x, masks = self.given(inputs, valid)
        up = self.placed(arrays.activation_to_native(np.asarray(upstream, np.float64)))
        own = local(self.task.model.with_ties(self.parameters), path)
        random = _of_step(self.key, self.step)
        y, gradients, inner = self.run_vjp(path, own, self.buffers, x, masks, up, random)
        gradients = {name: gradients[name] for name in self.layers[path].parameters()}
        return self.of_layer(path, y, inner, gradients)

    def placed(self, array: NDArray[Any]) -> Array:
        """A copy on the device, reals in this program's precision. NumPy makes it, since
        jax.device_put keeps the caller's memory on the CPU where it is aligned, even with
        may_alias=False, and jnp.array compiles a program for every shape: cnn-tiny's building took
        0.84 s by it, 0.01 s so. In C's order, since jax.device_put copies any other again (256
        images of 3 x 32 x 32: 2.8 instead of 3.1 ms).
        """
        real = np.issubdtype(array.dtype, np.floating)
        dtype = self.backend.dtype if real else array.dtype
        return jax.device_put(np.array(array, dtype, order="C"), self.backend.target)

    def hold(self, parameters: Tree, buffers: Tree, moments: Moments, step: int) -> None:
        self.latest = None  # a step that failed would raise again at every wait
        if self.seed is not None:
            self.key = jax.device_put(jax.random.key(self.seed), self.backend.target)
        super().hold(parameters, buffers, moments, self.placed(np.asarray(step, np.int32)))

    def make_update(self, gradients: Tree) -> None:
        self.step = self.step + 1
        self.parameters, self.moments = self.run_update(
            self.step, self.parameters, gradients, self.moments
        )

    def memory(self) -> Memory:
        figures = self.backend.target.memory_stats() or {}  # None on the CPU
        return Memory(
            live_bytes=figures.get("peak_bytes_in_use"),
            reserved_bytes=figures.get("peak_pool_bytes"),
            planned_bytes=self._planned_bytes(),
        )

    def logits(self, parameters: Tree, buffers: Tree, inputs: Any, valid: Any) -> Array:
        """Evaluation's forward pass; what ``predict`` compiles."""
        context = Context(path="", training=False, valid=valid, buffers=buffers)
        return self.backend.forward(self.task, parameters, inputs, context)

    def training_loss(
        self,
        parameters: Tree,
        buffers: Tree,
        batch: Resident,
        random: Array | None,
        *hooks: Callable[..., Any],
    ) -> tuple[Array, Tree]:
        """Training's forward pass: loss and new buffers. ``hooks`` are those of ``forward``."""
        context = Context(path="", training=True, valid=batch.valid, buffers=buffers, random=random)
        logits = self.backend.forward(self.task, parameters, batch.inputs, context, *hooks)
        loss = self.backend.loss(self.task.loss, logits, batch.targets, context.valid)
        return loss, buffers | context.new_buffers

    def gradients(
        self, parameters: Tree, buffers: Tree, batch: Resident, random: Array | None
    ) -> tuple[Array, Tree, Tree]:
        """Loss, gradients by path, new buffers."""
        differentiate = jax.value_and_grad(self.training_loss, has_aux=True)
        (loss, buffers), gradients = differentiate(parameters, buffers, batch, random)
        return loss, gradients, buffers

    def update(
        self, step: Array, parameters: Tree, gradients: Tree, moments: Moments
    ) -> tuple[Tree, Moments]:
        """New parameters and moments."""
        found: tuple[Tree, Moments] = self.backend.update(
            self.task.optimizer, step, parameters, gradients, moments
        )
        return found

    def _training_step(
        self,
        parameters: Tree,
        buffers: Tree,
        moments: Moments,
        step: Array,
        batch: Resident,
        key: Array | None,
    ) -> tuple[Array, Tree, Tree, Moments, Array]:
        """All of ``train_step``: one program, which gives back the memory of its first four."""
        random = _of_step(key, step)
        loss, gradients, buffers = self.gradients(parameters, buffers, batch, random)
        step = step + 1
        parameters, moments = self.update(step, parameters, gradients, moments)
        return loss, parameters, buffers, moments, step

    def _input(self, array: NDArray[Any]) -> Array:
        return self.placed(arrays.activation_to_native(np.asarray(array)))

    def _planned_bytes(self) -> int | None:
        """XLA's plan of the step that ran last; what is donated counts once. Compiles it again,
        since jax.jit does not give out the executable that it has.
        """
        if self.ran is None:
            return None
        run, batch = self.ran
        given = (self.parameters, self.buffers)
        step = (self.moments, self.step, batch, self.key)
        more = step if run is self.run_step else (batch.inputs, batch.valid)
        plan = run.lower(*given, *more).compile().memory_analysis()
        if plan is None:
            return None
        size = plan.argument_size_in_bytes + plan.output_size_in_bytes + plan.temp_size_in_bytes
        planned: int = size - plan.alias_size_in_bytes
        return planned or None

    def _tapped_loss(
        self, taps: Tree, parameters: Tree, buffers: Tree, batch: Resident, random: Array | None
    ) -> tuple[Array, Tree]:
        """The loss with zeros added to plain layers' inputs, and every layer's output. What
        differentiates by a tap sees the input through that layer alone.
        """
        seen: Tree = {}

        def enter(path: str, value: Array) -> Array:
            return value + taps[path] if path in taps else value

        hooks = (enter, seen.__setitem__)
        return self.training_loss(parameters, buffers, batch, random, *hooks)[0], seen

    def _vjp(
        self,
        path: str,
        own: Tree,
        buffers: Tree,
        x: Any,
        masks: Tree,
        upstream: Array,
        random: Array | None,
    ) -> tuple[Array, Tree, Any]:
        """One layer's output, gradients by local name, and input gradient unless of ids."""
        layer = self.layers[path]

        def run(own: Tree, x: Any) -> Array:
            context = Context(path=path, training=True, buffers=buffers, random=random, **masks)
            return self.backend.compute(layer, own, x, context)

        y, pull = jax.vjp(run, own, x)
        gradients, inner = pull(upstream.astype(y.dtype))
        real = jnp.issubdtype(jax.tree.leaves(x)[0].dtype, jnp.floating)
        return y, gradients, inner if real else None


def _of_step(key: Array | None, step: Array) -> Array | None:
    """The key of this step's random numbers; None where none are drawn."""
    return None if key is None else jax.random.fold_in(key, step)


def _unseen(path: str, value: Array) -> None:
    """Observes nothing."""
