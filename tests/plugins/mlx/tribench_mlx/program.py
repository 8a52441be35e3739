"""A task built in MLX, which computes nothing before it is asked to: what is started is what
``mx.async_eval`` is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np

from backends.base import Arrays, Capture, Context, LayerVjp, Mask
from backends.program import BaseProgram, stream
from tasks.base import Batch, Task, each
from tasks.spec import local
from tribench_mlx import arrays

if TYPE_CHECKING:
    from tribench_mlx.backend import Backend


@dataclass(frozen=True)
class Resident:
    """A batch on the device."""

    inputs: mx.array | dict[str, mx.array]
    targets: mx.array
    valid: mx.array | dict[str, mx.array] | None


class Program(BaseProgram):
    """See backends.base.Program."""

    layout = arrays

    def __init__(self, backend: Backend, task: Task, parameters: Arrays) -> None:
        self.latest: mx.array | None = None
        super().__init__(backend, task, parameters)

    def put(self, batch: Batch | Resident) -> Resident:
        if isinstance(batch, Resident):
            return batch
        return Resident(
            inputs=each(self._input, batch.inputs),
            targets=self.placed(np.asarray(batch.targets, np.int32)),
            valid=each(self.placed, batch.valid),
        )

    def predict(self, batch: Batch | Resident) -> mx.array:
        batch = self.put(batch)
        context = Context(path="", training=False, valid=batch.valid, buffers=self.buffers)
        self.latest = self.backend.forward(self.task, self.parameters, batch.inputs, context)
        mx.async_eval(self.latest)
        return self.latest

    def train_step(self, batch: Batch | Resident) -> mx.array:
        self.latest, gradients, self.buffers = self.gradients(self.put(batch))
        self.make_update(gradients)
        mx.async_eval(self.latest, self.parameters, self.buffers, self.moments)
        return self.latest

    def wait(self) -> None:
        latest = [] if self.latest is None else [self.latest]
        mx.eval(latest, self.parameters, self.buffers, self.moments)

    def numpy(self, array: mx.array) -> np.ndarray:
        assert array.dtype == self.backend.dtype, array.dtype
        return np.array(array).astype(np.float64)

    def capture(self, batch: Batch | Resident) -> Capture:
        batch = self.put(batch)
        entered: dict[str, mx.array] = {}
        self.training_loss(self.parameters, batch, entered.setdefault, _unseen)
        taps = {
            path: mx.zeros(value.shape, value.dtype)
            for path, value in entered.items()
            if mx.issubdtype(value.dtype, mx.floating)
        }

        def tapped(taps: dict[str, mx.array]) -> tuple[mx.array, dict[str, mx.array]]:
            seen: dict[str, mx.array] = {}

            def enter(path: str, value: mx.array) -> mx.array:
                return value + taps[path] if path in taps else value

            return self.training_loss(self.parameters, batch, enter, seen.__setitem__)[0], seen

        (_, seen), inner = mx.value_and_grad(tapped)(taps)
        loss, gradients, buffers = self.gradients(batch)
        return self.captured(loss, seen, gradients, inner, buffers)

    def layer_vjp(
        self,
        path: str,
        inputs: np.ndarray | tuple[np.ndarray, ...],
        upstream: np.ndarray,
        valid: Mask = None,
    ) -> LayerVjp:
        own = local(self.task.model.with_ties(self.parameters), path)
        x, masks = self.given(inputs, valid)
        up = self.placed(arrays.activation_to_native(np.asarray(upstream, np.float64)))
        several = x if isinstance(x, tuple) else (x,)
        real = several if mx.issubdtype(several[0].dtype, mx.floating) else ()

        def run(*given: mx.array) -> mx.array:
            context = Context(
                path=path, training=True, buffers=self.buffers, random=self._random(), **masks
            )
            values = given[len(own) :] or several
            taken = values if len(values) > 1 else values[0]
            parameters = dict(zip(own, given, strict=False))
            return self.backend.compute(self.layers[path], parameters, taken, context)

        (y,), found = mx.vjp(run, [*own.values(), *real], [up])
        inner = tuple(found[len(own) :])
        gradients = dict(zip(own, found, strict=False))
        return self.of_layer(path, y, inner, gradients)

    def _input(self, array: np.ndarray) -> mx.array:
        return self.placed(arrays.activation_to_native(np.asarray(array)))

    def placed(self, array: np.ndarray) -> mx.array:
        real = np.issubdtype(array.dtype, np.floating)
        return mx.array(np.ascontiguousarray(array), self.backend.dtype if real else None)

    def make_update(self, gradients: dict[str, mx.array]) -> None:
        self.step += 1
        self.parameters, self.moments = self.backend.update(
            self.task.optimizer, self.step, self.parameters, gradients, self.moments
        )

    def training_loss(
        self, parameters: dict[str, mx.array], batch: Resident, *hooks: Callable[..., Any]
    ) -> tuple[mx.array, dict[str, mx.array]]:
        """Training's forward pass: loss and new buffers. ``hooks`` are those of ``forward``."""
        context = Context(
            path="",
            training=True,
            valid=batch.valid,
            buffers=self.buffers,
            random=self._random(),
        )
        logits = self.backend.forward(self.task, parameters, batch.inputs, context, *hooks)
        loss = self.backend.loss(self.task.loss, logits, batch.targets, context.valid)
        return loss, self.buffers | context.new_buffers

    def _random(self) -> int | None:
        """The number of this step; None where no random numbers are drawn."""
        return None if self.seed is None else stream(self.seed, self.step)

    def gradients(
        self, batch: Resident
    ) -> tuple[mx.array, dict[str, mx.array], dict[str, mx.array]]:
        """Loss, gradients by path, new buffers."""

        def differentiated(parameters: dict[str, mx.array]) -> Any:
            return self.training_loss(parameters, batch)

        (loss, buffers), gradients = mx.value_and_grad(differentiated)(self.parameters)
        return loss, gradients, buffers


def _unseen(path: str, value: mx.array) -> None:
    """Observes nothing."""
