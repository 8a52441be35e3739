"""A task built in TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from backends.base import Arrays, Capture, Context, LayerVjp, Mask, Memory
from backends.program import BaseProgram, Layout
from backends.tensorflow import arrays
from backends.tensorflow.optimizers import Moments, Tree
from tasks.base import Batch, Task, each
from tasks.spec import local

if TYPE_CHECKING:
    from backends.tensorflow.backend import Backend


class Resident(NamedTuple):
    """A batch on the device. A named tuple, because tf.function sees the tensors in one."""

    inputs: tf.Tensor | dict[str, tf.Tensor]
    targets: tf.Tensor
    valid: tf.Tensor | dict[str, tf.Tensor] | None


class Program(BaseProgram):
    """See backends.base.Program. The arrays are variables, which compiled functions hold."""

    layout: ClassVar[Layout] = arrays

    def __init__(self, backend: Backend, task: Task, parameters: Arrays) -> None:
        self.step = None  # a variable from the first ``hold`` on, as is the seed's
        self.drawn: tf.Variable | None = None
        super().__init__(backend, task, parameters)
        self.run_predict = backend.compile(self.logits, task)
        self.run_gradients = backend.compile(self.gradients, task)
        self.run_update = backend.compile(self.update, task)
        self.run_step = backend.compile(self._step, task)
        self.run_layer = backend.compile(self._layer, task)

    def put(self, batch: Batch | Resident) -> Resident:
        if isinstance(batch, Resident):
            return batch
        return Resident(
            inputs=each(self._input, batch.inputs),
            targets=self._tensor(batch.targets, tf.int64),
            valid=each(partial(self._tensor, dtype=tf.bool), batch.valid),
        )

    def predict(self, batch: Batch | Resident) -> tf.Tensor:
        batch = self.put(batch)
        return self.run_predict(self.buffers, batch.inputs, batch.valid)

    def train_step(self, batch: Batch | Resident) -> tf.Tensor:
        loss, self.buffers = self.run_step(self.buffers, self.put(batch))
        return loss

    def wait(self) -> None:
        tf.test.experimental.sync_devices()

    def numpy(self, array: tf.Tensor) -> NDArray[Any]:
        assert array.device.endswith(self.backend.target), array.device
        found: NDArray[Any] = array.numpy().astype(np.float64)
        return found

    def capture(self, batch: Batch | Resident) -> Capture:
        batch = self.put(batch)
        # Without a graph: compiling the instrumented step took 8 s of a Transformer's parity.
        seen, inner = self._inside(self.buffers, batch)
        loss, gradients, buffers = self.run_gradients(self.buffers, batch)
        return self.captured(loss, seen, gradients, inner, buffers)

    def layer_vjp(
        self,
        path: str,
        inputs: NDArray[Any] | tuple[NDArray[Any], ...],
        upstream: NDArray[Any],
        valid: Mask = None,
    ) -> LayerVjp:
        x, masks = self.given(inputs, valid)
        up = self._tensor(arrays.activation_to_native(upstream), self.backend.dtype)
        y, dx, found = self.run_layer(path, self.buffers, x, masks, up)
        return self.of_layer(path, y, dx, found)

    def placed(self, array: NDArray[Any]) -> tf.Tensor:
        return self._tensor(array, self.backend.dtype)

    def hold(self, parameters: Tree, buffers: Tree, moments: Moments, step: int) -> None:
        self.buffers = buffers
        if self.step is None:
            with tf.device(self.backend.target):
                self.parameters = {p: tf.Variable(value) for p, value in parameters.items()}
                self.moments = {
                    path: {name: tf.Variable(value) for name, value in named.items()}
                    for path, named in moments.items()
                }
                self.step = tf.Variable(step, dtype=tf.int64)
                if self.seed is not None:
                    self.drawn = tf.Variable(self.seed, dtype=tf.int64)
            return
        if self.drawn is not None:
            self.drawn.assign(self.seed)
        self.step.assign(step)
        self._assign(parameters, moments)

    def make_update(self, gradients: Tree) -> None:
        self.run_update(gradients)

    def memory(self) -> Memory:
        if self.backend.device != "cuda":
            return super().memory()
        peak = tf.config.experimental.get_memory_info(self.backend.target)["peak"]
        return Memory(live_bytes=peak, reserved_bytes=None)

    def logits(self, buffers: Tree, inputs: Any, valid: Any) -> tf.Tensor:
        """Evaluation's forward pass; what ``predict`` compiles."""
        context = Context(path="", training=False, valid=valid, buffers=buffers)
        return self.backend.forward(self.task, _values(self.parameters), inputs, context)

    def training_loss(
        self, parameters: Tree, buffers: Tree, batch: Resident, *hooks: Callable[..., Any]
    ) -> tuple[tf.Tensor, Tree]:
        """Training's forward pass: loss and new buffers. ``hooks`` are those of ``forward``."""
        context = Context(
            path="", training=True, valid=batch.valid, buffers=buffers, random=self._random()
        )
        logits = self.backend.forward(self.task, parameters, batch.inputs, context, *hooks)
        loss = self.backend.loss(self.task.loss, logits, batch.targets, context.valid)
        return loss, buffers | context.new_buffers

    def gradients(self, buffers: Tree, batch: Resident) -> tuple[tf.Tensor, Tree, Tree]:
        """Loss, gradients by path, new buffers; compiled, a part of what ``train_step`` compiles
        and what ``capture`` calls.
        """
        parameters = _values(self.parameters)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(parameters)
            loss, buffers = self.training_loss(parameters, buffers, batch)
        return loss, _dense(tape.gradient(loss, parameters, **_ZERO)), buffers

    def update(self, gradients: Tree) -> None:
        """One optimizer step, into the variables."""
        self.step.assign_add(1)
        moments = {path: _values(named) for path, named in self.moments.items()}
        parameters, moments = self.backend.update(
            self.task.optimizer,
            tf.convert_to_tensor(self.step),
            _values(self.parameters),
            gradients,
            moments,
        )
        self._assign(parameters, moments)

    def _assign(self, parameters: Tree, moments: Moments) -> None:
        for path, parameter in self.parameters.items():
            parameter.assign(parameters[path])
            for name, moment in self.moments[path].items():
                moment.assign(moments[path][name])

    def _random(self) -> tf.Tensor | None:
        """Two numbers of 64 bits, of the seed, before which a layer's 32 have room, and the step;
        None where none are drawn.
        """
        return None if self.drawn is None else tf.stack([self.drawn * 2**32, self.step])

    def _input(self, array: NDArray[Any]) -> tf.Tensor:
        """With 64 bits for integers too: TensorFlow keeps int32 in the host's memory."""
        dtype = self.backend.dtype if np.issubdtype(array.dtype, np.floating) else tf.int64
        return self._tensor(arrays.activation_to_native(array), dtype)

    def _tensor(self, array: NDArray[Any], dtype: tf.DType) -> tf.Tensor:
        """On the device; a copy, since TensorFlow may share memory with NumPy."""
        with tf.device(self.backend.target):
            return tf.constant(np.array(array, dtype=dtype.as_numpy_dtype), dtype)

    def _step(self, buffers: Tree, batch: Resident) -> tuple[tf.Tensor, Tree]:
        """What ``train_step`` compiles: one call for the whole step."""
        loss, gradients, buffers = self.run_gradients(buffers, batch)
        self.run_update(gradients)
        return loss, buffers

    def _inside(self, buffers: Tree, batch: Resident) -> tuple[Tree, Tree]:
        """Every layer's output, and the gradient of what each plain layer is given."""
        entered: Tree = {}
        seen: Tree = {}
        with tf.GradientTape(watch_accessed_variables=False) as tape:

            def enter(path: str, value: tf.Tensor) -> tf.Tensor:
                if not value.dtype.is_floating:
                    return value
                entered[path] = tf.identity(value)  # a node of its own, apart from other uses
                tape.watch(entered[path])
                return entered[path]

            loss, _ = self.training_loss(
                _values(self.parameters), buffers, batch, enter, seen.__setitem__
            )
        return seen, _dense(tape.gradient(loss, entered, **_ZERO))

    def _layer(
        self, path: str, buffers: Tree, x: Any, masks: Tree, upstream: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...], Tree]:
        """One layer's output, its inputs' gradients (none of token ids) and its parameters'."""
        own = local(self.task.model.with_ties(_values(self.parameters)), path)
        several = x if isinstance(x, tuple) else (x,)
        real = {f"/{n}": one for n, one in enumerate(several) if one.dtype.is_floating}
        context = Context(path=path, training=True, buffers=buffers, random=self._random(), **masks)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(own | real)
            y = self.backend.compute(self.layers[path], own, x, context)
        found = _dense(tape.gradient(y, own | real, tf.cast(upstream, y.dtype), **_ZERO))
        return y, tuple(found.pop(name) for name in real), found


_ZERO = {"unconnected_gradients": tf.UnconnectedGradients.ZERO}


def _values(variables: dict[str, tf.Variable]) -> Tree:
    return {path: tf.convert_to_tensor(variable) for path, variable in variables.items()}


def _dense(gradients: dict[str, Any]) -> Tree:
    """An embedding's gradient comes as rows; everything here is by path and dense."""
    return {path: tf.convert_to_tensor(gradient) for path, gradient in gradients.items()}
