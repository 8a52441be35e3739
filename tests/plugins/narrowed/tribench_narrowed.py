"""An adapter that multiplies as oneDNN does where this variable is set: float32 in bfloat16."""

from __future__ import annotations

import os

from backends.base import lowers
from backends.formats import to_bfloat16
from backends.numpy import Backend
from tasks import spec


class Narrowed(Backend):
    """The reference, but for its linear layers."""

    name = "narrowed"
    framework = "numpy"
    precisions = ("float64", "float32")

    @lowers(spec.Linear)
    def narrow(self, layer, parameters, x, context):
        if self.precision == "float32" and "ONEDNN_DEFAULT_FPMATH_MODE" in os.environ:
            parameters = {name: to_bfloat16(value) for name, value in parameters.items()}
            x = to_bfloat16(x)
        return self.linear(layer, parameters, x, context)
