"""A Keras model, compiled and trained batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from backends.base import Arrays
from tasks.base import Batch, each
from tribench_peers import base
from tribench_peers.keras_ import arrays, layers, losses, optimizers


@dataclass(frozen=True)
class Resident:
    """A batch as the engine's tensors."""

    inputs: Any
    targets: Any
    weights: Any = None


class Program(base.Program):
    arrays = arrays

    def make(self) -> None:
        self.model, self.shown, self.made = layers.model(self.task.model)
        loss = losses.loss(self.task.loss)
        self.model.compile(optimizers.optimizer(self.task.optimizer), loss)
        self.model.optimizer.build(self.model.trainable_variables)
        # The same again to see the gradients that train_on_batch computes: what is left in the
        # momentum after one step from 0 at rate 1 is -g.
        self.probe = keras.Model(self.model.input, self.model.output)
        self.probe.compile(keras.optimizers.SGD(1.0, momentum=0.5), loss)
        self.probe.optimizer.build(self.probe.trainable_variables)
        self.norms = {
            path: made[0]
            for path, made in self.made.items()
            if isinstance(made[0], keras.layers.BatchNormalization)
        }

    def put(self, batch: Batch | Resident) -> Resident:
        if isinstance(batch, Resident):
            return batch
        given, masks = each(self.input, batch.inputs), base.masks(batch)
        put = keras.ops.convert_to_tensor
        for name, values in self.task.model.inputs.items():
            every = np.ones((len(batch), *values.shape[:1]), bool)
            given[f"{name}_valid"] = put(masks.get(name, every), dtype="bool")
        weights = losses.weights(self.task.loss, batch.targets)
        return Resident(
            given,
            put(np.maximum(batch.targets, 0), dtype="int32"),
            None if weights is None else put(weights, dtype=self.backend.precision),
        )

    def input(self, array: np.ndarray) -> Any:
        """Reals in this precision, images in the layout."""
        if array.ndim == 4 and self.backend.layout == "channels_last":
            array = array.transpose(0, 2, 3, 1)
        real = np.issubdtype(array.dtype, np.floating)
        dtype = self.backend.precision if real else "int32"
        return keras.ops.convert_to_tensor(np.ascontiguousarray(array), dtype=dtype)

    def predict(self, batch: Batch | Resident) -> np.ndarray:
        return self.model.predict_on_batch(self.put(batch).inputs)

    def train_step(self, batch: Batch | Resident) -> float:
        batch = self.put(batch)
        return self.model.train_on_batch(batch.inputs, batch.targets, batch.weights)

    def facts(self) -> dict[str, str]:
        engine = self.backend.engine
        return {
            "keras": keras.__version__,
            engine.__name__: engine.__version__,
            "compiler": f"Keras's jit_compile: {self.model.jit_compile}",
            "modules": ", ".join(sorted({type(layer).__name__ for layer in self.model.layers})),
            "image layout": self.backend.layout.replace("_", " "),
            "optimizer": f"keras.optimizers.{type(self.model.optimizer).__name__}",
        }

    def look(self, batch: Resident) -> base.Inside:
        parameters, before = self.read(), self.read_buffers()
        shown = self.shown(batch.inputs, training=True)
        self.write(parameters, before)
        _restart(self.probe.optimizer)
        loss = self.probe.train_on_batch(batch.inputs, batch.targets, batch.weights)
        left = zip(self.probe.trainable_variables, self.probe.optimizer.momentums, strict=True)
        gradients = {id(variable): -_array(momentum) for variable, momentum in left}
        buffers = self.read_buffers()
        self.write(parameters, before)
        return base.Inside(
            loss=float(loss),
            gradients={
                path: [gradients[id(variable)] for variable in self.variables(path)]
                for path in self.owners
            },
            buffers=buffers,
            activations={path: self.activation(value) for path, value in shown.items()},
        )

    def apply(self, gradients: dict[str, base.Native]) -> None:
        given = {
            id(variable): keras.ops.convert_to_tensor(gradient, dtype=self.backend.precision)
            for path, some in gradients.items()
            for variable, gradient in zip(self.variables(path), some, strict=True)
        }
        every = self.model.trainable_variables
        self.model.optimizer.apply([given[id(variable)] for variable in every], every)

    def read(self) -> dict[str, base.Native]:
        return {path: [_array(v) for v in self.variables(path)] for path in self.owners}

    def read_buffers(self) -> dict[str, np.ndarray]:
        return {
            f"{path}.{name}": _array(variable)
            for path, norm in self.norms.items()
            for name, variable in _statistics(norm).items()
        }

    def write(self, parameters: dict[str, base.Native], buffers: Arrays) -> None:
        for path, values in parameters.items():
            for variable, value in zip(self.variables(path), values, strict=True):
                variable.assign(value)
        for path, norm in self.norms.items():
            for name, variable in _statistics(norm).items():
                variable.assign(buffers[f"{path}.{name}"])

    def restart(self) -> None:
        _restart(self.model.optimizer)

    def variables(self, path: str) -> list[keras.Variable]:
        """The trained weights of a layer's Keras layers."""
        return [variable for made in self.made[path] for variable in made.trainable_variables]

    def activation(self, value: Any) -> np.ndarray:
        """A layer's output; images as (batch, channels, height, width)."""
        array = _array(value)
        last = array.ndim == 4 and self.backend.layout == "channels_last"
        return array.transpose(0, 3, 1, 2) if last else array


def _array(value: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(value), np.float64)


def _statistics(norm: keras.layers.BatchNormalization) -> dict[str, keras.Variable]:
    return {"running_mean": norm.moving_mean, "running_var": norm.moving_variance}


def _restart(optimizer: keras.optimizers.Optimizer) -> None:
    for variable in optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(np.zeros(variable.shape))
