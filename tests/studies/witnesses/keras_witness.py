"""keras.applications on JAX, in float64; see torch_witness.py for what is read and written. Images
come with their channels first. An array is reshaped: in Keras heads have an axis of their own.

On JAX, Keras's rules of types make float32 of float64 and a number: a BERT's logits are 1.7e-7 off.
Here they keep it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"}

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras.src.backend.common import dtypes
from numpy.typing import NDArray

dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
keras.config.set_floatx("float64")

OTHER_NAMES = 3  # the exit code where given arrays are not the model's
Arrays = dict[str, NDArray[Any]]


def main(build: Callable[[str, dict[str, Any]], Any]) -> None:
    """For each name of the command line."""
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        config = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        with np.load(folder / f"{name}-given.npz") as arrays:
            given = dict(arrays)
        model = build(config["class"], config["arguments"])
        np.savez(folder / f"{name}-made.npz", **_made(model, given))  # type: ignore[arg-type]
        keras.backend.clear_session()


def build(name: str, arguments: dict[str, Any]) -> Any:
    """A model of keras.applications with random parameters, which gives logits."""
    made = getattr(keras.applications, name)
    return made(weights=None, classifier_activation=None, **arguments)


def _made(model: Any, given: Arrays) -> Arrays:
    """Evaluation's logits, and training's loss, gradients and buffers."""
    own = {key[2:]: array for key, array in given.items() if key.startswith("p/")}
    inputs = {key[2:]: _last(array) for key, array in given.items() if key.startswith("x/")}
    taken = inputs.get("x", inputs)
    variables = {_path(each): each for each in model.variables if "seed" not in each.path}
    if own.keys() != variables.keys():
        print(f"apart: {sorted(own.keys() ^ variables.keys())[:4]}", file=sys.stderr)
        sys.exit(OTHER_NAMES)
    for path, variable in variables.items():
        variable.assign(own[path].reshape(variable.shape))
    fixed = [each.value for each in model.non_trainable_variables]
    targets = jnp.asarray(given["targets"])

    def loss(trained: list[Any]) -> tuple[Any, Any]:
        outputs, after = model.stateless_call(trained, fixed, taken, training=True)
        logs = jax.nn.log_softmax(_logits(outputs))
        picked = jnp.take_along_axis(logs, jnp.maximum(targets, 0)[..., None], -1)[..., 0]
        return -jnp.sum(jnp.where(targets >= 0, picked, 0)) / jnp.sum(targets >= 0), after

    trained = [each.value for each in model.trainable_variables]
    (value, after), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(trained)
    found = {"logits": _logits(model(taken, training=False)), "loss": value}
    for part, each, arrays in (
        ("g", model.trainable_variables, gradients),
        ("b", model.non_trainable_variables, after),
    ):
        paths = [_path(variable) for variable in each]
        pairs = zip(paths, arrays, strict=True)
        found |= {f"{part}/{path}": a.reshape(own[path].shape) for path, a in pairs if path in own}
    return {key: np.asarray(array) for key, array in found.items()}


def _path(variable: Any) -> str:
    """As tables have it: the first layer of a kind has the number 0."""
    return re.sub(r"^(conv2d|batch_normalization)/", r"\1_0/", variable.path)


def _last(array: NDArray[Any]) -> NDArray[Any]:
    """An image with its channels last."""
    return np.moveaxis(array, 1, -1) if array.ndim == 4 else array


def _logits(outputs: Any) -> Any:
    return outputs["pooled_output"] if isinstance(outputs, dict) else outputs


if __name__ == "__main__":
    main(build)
