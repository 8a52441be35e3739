"""keras_hub's backbones, with random parameters; see keras_witness.py."""

from __future__ import annotations

from typing import Any

from keras_witness import main  # isort: skip  # it chooses Keras's backend
import keras_hub


def build(name: str, arguments: dict[str, Any]) -> Any:
    """A class of keras_hub's."""
    return getattr(keras_hub.models, name)(**arguments)


if __name__ == "__main__":
    main(build)
