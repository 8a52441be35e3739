"""The Flax classes of transformers 4, the last version that has them, in float64; see
torch_witness.py for what is read and written. Arrays have the names of the PyTorch classes.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "JAX_ENABLE_X64": "1", "USE_TORCH": "0", "USE_TF": "0"}

import jax
import jax.numpy as jnp
import numpy as np
import transformers
from flax.traverse_util import flatten_dict, unflatten_dict
from numpy.typing import NDArray

OTHER_NAMES = 3  # the exit code where given arrays are not the model's
TABLES = ("word_embeddings", "position_embeddings", "token_type_embeddings", "wte", "wpe")
Arrays = dict[str, NDArray[Any]]


def main() -> None:
    """For each name of the command line."""
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        config = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        with np.load(folder / f"{name}-given.npz") as arrays:
            given = dict(arrays)
        kind = getattr(transformers, config["class"])
        model = kind(kind.config_class(**config["arguments"]), dtype=jnp.float64)
        np.savez(folder / f"{name}-made.npz", **_made(model, given))  # type: ignore[arg-type]


def _made(model: Any, given: Arrays) -> Arrays:
    """Evaluation's logits, and training's loss and gradients."""
    own = {key[2:]: array for key, array in given.items() if key.startswith("p/")}
    inputs = {key[2:]: array for key, array in given.items() if key.startswith("x/")}
    paths = {name: there(name) for name in own}
    apart = {*paths.values()} ^ flatten_dict(model.params).keys()
    if apart:
        print(f"apart: {sorted(apart)[:4]}", file=sys.stderr)
        sys.exit(OTHER_NAMES)
    start = unflatten_dict({paths[name]: jnp.asarray(turned(name, own[name])) for name in own})
    targets = jnp.asarray(given["targets"])

    def loss(parameters: Any) -> Any:
        logs = jax.nn.log_softmax(model(**inputs, params=parameters).logits)
        picked = jnp.take_along_axis(logs, jnp.maximum(targets, 0)[..., None], -1)[..., 0]
        return -jnp.sum(jnp.where(targets >= 0, picked, 0)) / jnp.sum(targets >= 0)

    value, gradients = jax.value_and_grad(loss)(start)
    flat = flatten_dict(gradients)
    found = {"logits": model(**inputs, params=start).logits, "loss": value}
    found |= {f"g/{name}": turned(name, np.asarray(flat[path])) for name, path in paths.items()}
    return {key: np.asarray(array) for key, array in found.items()}


def there(name: str) -> tuple[str, ...]:
    """The path in Flax's parameters."""
    *parents, last = name.split(".")
    if last == "bias":
        return (*parents, last)
    if parents[-1] in TABLES:
        return (*parents, "embedding")
    return (*parents, "kernel" if _linear(name) else "scale")


def turned(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """As the other library holds it."""
    return array.T if _linear(name) else array


def _linear(name: str) -> bool:
    *_, parent, last = ("", *name.split("."))
    norm = parent in ("LayerNorm", "layer_norm") or parent.startswith("ln_")
    return last == "weight" and parent not in TABLES and not norm


if __name__ == "__main__":
    main()
