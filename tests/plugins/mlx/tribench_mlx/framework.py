"""What this adapter declares of MLX."""

from __future__ import annotations

from backends.framework import Framework

FRAMEWORK = Framework(
    name="MLX",
    begins=("MLX_",),
    reads={
        "speed": "MLX_DISABLE_COMPILE MLX_MAX_OPS_PER_BUFFER MLX_MAX_MB_PER_BUFFER "
        "MLX_BFS_MAX_WIDTH",
        "numbers": "MLX_ENABLE_TF32",
    },
    companions=("mlx",),
    out_of_memory="Unable to allocate",
    colour=3,
)
