"""What this adapter declares of NumPy."""

from __future__ import annotations

from backends.framework import NUMBERS, Framework

FRAMEWORK = Framework(
    name="NumPy",
    begins=("NPY_", "NUMPY_"),
    reads={
        "speed": "NPY_DISABLE_CPU_FEATURES NPY_ENABLE_CPU_FEATURES NUMPY_MADVISE_HUGEPAGE",
        NUMBERS: "NPY_PROMOTION_STATE",
    },
)
