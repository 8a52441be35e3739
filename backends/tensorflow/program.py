"""A task built in TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from backends.base import Arrays, Capture, Context, LayerVjp, Memory, State
from backends.tensorflow import arrays
from tasks.base import Batch, Task
from tasks.parameters import initial_buffers
from tasks.spec import local

if TYPE_CHECKING:
    from backends.tensorflow.backend import Backend


class Resident(NamedTuple):
    """A batch on the device. A named tuple, because tf.function sees the tensors in one."""

    inputs: tf.Tensor
    targets: tf.Tensor
    valid: tf.Tensor | None


class Program:
    """See backends.base.Program."""

    def __init__(self, backend: Backend, task: Task, parameters: Arrays) -> None:
        self.backend, self.task = backend, task
        self.owners = {
            f"{place.path}.{name}": (place.layer, name)
            for place in task.model.places()
            for name in place.layer.parameters()
        }
        with tf.device(backend.target):
            self.parameters = {
                path: tf.Variable(self.native(path, parameters[path])) for path in self.owners
            }
            self.moments = {
                path: {name: tf.Variable(tf.zeros_like(p)) for name in task.optimizer.moments()}
                for path, p in self.parameters.items()
            }
            self.step = tf.Variable(0, dtype=tf.int64)
        self.load_state(State(parameters=parameters))
        self.run_predict = backend.compile(self.logits, task)
        self.run_gradients = backend.compile(self.gradients, task)
        self.run_update = backend.compile(self.update, task)
        self.run_step = backend.compile(self._step, task)
        self.run_layer = backend.compile(self._layer, task)

    def put(self, batch: Batch | Resident) -> Resident:
        if isinstance(batch, Resident):
            return batch
        inputs = np.asarray(batch.inputs)
        # 64 bits for integers too: TensorFlow keeps int32 in the host's memory.
        dtype = self.backend.dtype if np.issubdtype(inputs.dtype, np.floating) else tf.int64
        return Resident(
            inputs=self._tensor(arrays.activation_to_native(inputs), dtype),
            targets=self._tensor(batch.targets, tf.int64),
            valid=None if batch.valid is None else self._tensor(batch.valid, tf.bool),
        )

    def predict(self, batch: Batch | Resident) -> tf.Tensor:
        batch = self.put(batch)
        return self.run_predict(self.buffers, batch.inputs, batch.valid)

    def train_step(self, batch: Batch | Resident) -> tf.Tensor:
        loss, self.buffers = self.run_step(self.buffers, self.put(batch))
        return loss

    def wait(self) -> None:
        tf.test.experimental.sync_devices()

    def compilations(self) -> int | None:
        return self.backend.compilations()

    def numpy(self, array: tf.Tensor) -> np.ndarray:
        assert array.device.endswith(self.backend.target), array.device
        return array.numpy().astype(np.float64)

    def capture(self, batch: Batch | Resident) -> Capture:
        batch = self.put(batch)
        # Without a graph: compiling the instrumented step took 8 s of a Transformer's parity.
        seen, inner = self._inside(self.buffers, batch)
        loss, gradients, buffers = self.run_gradients(self.buffers, batch)
        return Capture(
            activations={path: self.activation(value) for path, value in seen.items()},
            loss=float(loss),
            gradients={path: self.canonical(path, g) for path, g in gradients.items()},
            input_gradients={path: self.activation(g) for path, g in inner.items()},
            buffers={path: self.numpy(value) for path, value in buffers.items()},
        )

    def layer_vjp(
        self, path: str, inputs: np.ndarray, upstream: np.ndarray, valid: np.ndarray | None = None
    ) -> LayerVjp:
        layer = next(place.layer for place in self.task.model.places() if place.path == path)
        batch = self.put(Batch(inputs=inputs, targets=np.zeros(len(inputs)), valid=valid))
        up = self._tensor(arrays.activation_to_native(upstream), self.backend.dtype)
        y, dx, found = self.run_layer(path, self.buffers, batch, up)
        return LayerVjp(
            output=self.activation(y),
            input_gradients=None if dx is None else self.activation(dx),
            gradients={
                name: arrays.to_canonical(layer, name, self.numpy(g)).copy()
                for name, g in found.items()
            },
        )

    def apply_update(self, gradients: Arrays) -> dict[str, np.ndarray]:
        before = self.state()
        self.run_update({path: self.native(path, gradients[path]) for path in self.parameters})
        after = self.state().parameters
        return {path: after[path] - before.parameters[path] for path in after}

    def state(self) -> State:
        return State(
            parameters={path: self.canonical(path, p) for path, p in self.parameters.items()},
            buffers={path: self.numpy(value) for path, value in self.buffers.items()},
            moments={
                path: {name: self.canonical(path, value) for name, value in named.items()}
                for path, named in self.moments.items()
            },
            step=int(self.step),
        )

    def load_state(self, state: State) -> None:
        # Into the same variables, which compiled functions hold.
        for path, parameter in self.parameters.items():
            parameter.assign(self.native(path, state.parameters[path]))
            for name, moment in self.moments[path].items():
                if path in state.moments:
                    moment.assign(self.native(path, state.moments[path][name]))
                else:
                    moment.assign(tf.zeros_like(moment))
        self.buffers = {
            path: self._tensor(value, self.backend.dtype)
            for path, value in (initial_buffers(self.task.model) | dict(state.buffers)).items()
        }
        self.step.assign(state.step)

    def memory(self) -> Memory:
        if self.backend.device != "cuda":
            return Memory(live_bytes=None, reserved_bytes=None)
        peak = tf.config.experimental.get_memory_info(self.backend.target)["peak"]
        return Memory(live_bytes=peak, reserved_bytes=None)

    def facts(self) -> dict[str, str]:
        return self.backend.facts(self.task)

    def logits(self, buffers, inputs: tf.Tensor, valid: tf.Tensor | None) -> tf.Tensor:
        """Evaluation's forward pass; what ``predict`` compiles."""
        context = Context(path="", training=False, valid=valid, buffers=buffers)
        return self.backend.forward(self.task, _values(self.parameters), inputs, context)

    def training_loss(self, parameters, buffers, batch: Resident, *hooks):
        """Training's forward pass: loss and new buffers. ``hooks`` are those of ``forward``."""
        context = Context(path="", training=True, valid=batch.valid, buffers=buffers)
        logits = self.backend.forward(self.task, parameters, batch.inputs, context, *hooks)
        loss = self.backend.loss(self.task.loss, logits, batch.targets, batch.valid)
        return loss, buffers | context.new_buffers

    def gradients(self, buffers, batch: Resident):
        """Loss, gradients by path, new buffers; compiled, a part of what ``train_step`` compiles
        and what ``capture`` calls.
        """
        parameters = _values(self.parameters)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(parameters)
            loss, buffers = self.training_loss(parameters, buffers, batch)
        return loss, _dense(tape.gradient(loss, parameters, **_ZERO)), buffers

    def update(self, gradients: dict[str, tf.Tensor]) -> None:
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
        for path, parameter in self.parameters.items():
            parameter.assign(parameters[path])
            for name, moment in self.moments[path].items():
                moment.assign(moments[path][name])

    def native(self, path: str, array: np.ndarray) -> tf.Tensor:
        """A parameter, gradient or moment on the device; a copy."""
        layer, name = self.owners[path]
        return self._tensor(arrays.to_native(layer, name, array), self.backend.dtype)

    def canonical(self, path: str, value: tf.Tensor | tf.Variable) -> np.ndarray:
        """The inverse of ``native``; a copy."""
        layer, name = self.owners[path]
        return arrays.to_canonical(layer, name, self.numpy(value)).copy()

    def activation(self, value: tf.Tensor) -> np.ndarray:
        """A layer's output or the gradient of its input."""
        return arrays.activation_to_canonical(self.numpy(value)).copy()

    def _tensor(self, array: np.ndarray, dtype: tf.DType) -> tf.Tensor:
        """On the device; a copy, since TensorFlow may share memory with NumPy."""
        with tf.device(self.backend.target):
            return tf.constant(np.array(array, dtype=dtype.as_numpy_dtype), dtype)

    def _step(self, buffers, batch: Resident):
        """What ``train_step`` compiles: one call for the whole step."""
        loss, gradients, buffers = self.run_gradients(buffers, batch)
        self.run_update(gradients)
        return loss, buffers

    def _inside(self, buffers, batch: Resident):
        """Every layer's output, and the gradient of what each plain layer is given."""
        entered, seen = {}, {}
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

    def _layer(self, path: str, buffers, batch: Resident, upstream: tf.Tensor):
        """One layer's output, its input's gradient (None of token ids) and its parameters'."""
        layer = next(place.layer for place in self.task.model.places() if place.path == path)
        own, x = local(_values(self.parameters), path), batch.inputs
        wanted = own | {"": x} if x.dtype.is_floating else own
        context = Context(path=path, training=True, valid=batch.valid, buffers=buffers)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(wanted)
            y = self.backend.compute(layer, own, x, context)
        found = _dense(tape.gradient(y, wanted, tf.cast(upstream, y.dtype), **_ZERO))
        return y, found.pop("", None), found


_ZERO = {"unconnected_gradients": tf.UnconnectedGradients.ZERO}


def _values(variables: dict[str, tf.Variable]) -> dict[str, tf.Tensor]:
    return {path: tf.convert_to_tensor(variable) for path, variable in variables.items()}


def _dense(gradients):
    """An embedding's gradient comes as rows; everything here is by path and dense."""
    return {path: tf.convert_to_tensor(gradient) for path, gradient in gradients.items()}
