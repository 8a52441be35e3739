"""Known ways of keeping less than a precision allows: a layer's operands rounded to a narrower
format before it computes. A way is confirmed if the reference, given such operands, comes much
closer to what the backend made than the truth does.

Sources: TF32 keeps 10 bits of the fraction (NVIDIA A100 whitepaper), as float16 does; bfloat16 7.
PyTorch's ``torch.backends.cudnn.allow_tf32`` and TensorFlow's ``enable_tensor_float_32_execution``
are on by default; JAX's default matmul precision uses TF32 on GPUs and bfloat16 on TPUs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.parity.known_mistakes.layers import Given

FORMATS = {"TF32 or float16": 11, "bfloat16": 8}  # significant bits, with the leading one


def mistakes(given: Given) -> Iterator[tuple[str, Given]]:
    """What may have been done, and what the reference is given to do the same."""
    for name, bits in FORMATS.items():
        parameters = {path: rounded(array, bits) for path, array in given.parameters.items()}
        inputs = given.inputs
        if not np.issubdtype(inputs.dtype, np.integer):
            inputs = rounded(inputs, bits)
        yield f"operands in {name}", replace(given, parameters=parameters, inputs=inputs)


def rounded(values: NDArray[Any], bits: int) -> NDArray[np.float64]:
    """To so many significant bits, half to even; exponents stay as they are."""
    fractions, exponents = np.frexp(values)
    kept: NDArray[np.float64] = np.ldexp(np.round(np.ldexp(fractions, bits)), exponents - bits)
    return kept
