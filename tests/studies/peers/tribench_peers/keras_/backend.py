"""How Keras is set up."""

from __future__ import annotations

from types import ModuleType
from typing import ClassVar

import keras
from keras.src.backend.common import dtypes

from tribench_peers import base
from tribench_peers.keras_ import layers, losses, optimizers
from tribench_peers.keras_.program import Program


class Keras(base.Backend):
    """Keras on ``engine``, the module of PyTorch, JAX or TensorFlow. Precision and image layout are
    settings of the whole process.
    """

    framework = "keras"
    engine: ClassVar[ModuleType]
    layout: ClassVar[str] = "channels_last"
    layers, losses, optimizers, program = layers, losses, optimizers, Program

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if keras.backend.backend() != cls.engine.__name__:
            raise ImportError(f"Keras runs on {keras.backend.backend()} in this process")

    def __init__(
        self, *, device: str = "cpu", precision: str = "float32", execution: str | None = None
    ) -> None:
        super().__init__(device=device, precision=precision, execution=execution)
        keras.config.set_floatx(precision)
        if precision == "float64":
            # Or else Keras 3.15 multiplies in float32, on every engine but TensorFlow. float64 is
            # for parity and never timed.
            dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
        keras.config.set_image_data_format(self.layout)
        self.settle()

    def settle(self) -> None:
        """The engine's own settings: threads, precision."""
        raise NotImplementedError
