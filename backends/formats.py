"""Narrower formats in NumPy, which has none of them: values stay float32 arrays.

bfloat16 is what values are rounded to. TF32 is how products are made (NVIDIA A100 whitepaper): a
layer that is given ``Operand`` arrays rounds what it multiplies as matrices, and its formulas stay
as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

DROPPED_BITS = 13  # of float32's 23 of fraction; TF32 keeps 10


def to_bfloat16(array: NDArray[Any]) -> NDArray[Any]:
    """To the nearest value with 8 significant bits, of two the even one; as float32."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    halfway = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return ((bits + halfway) & np.uint32(0xFFFF0000)).view(np.float32)


def to_tf32(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """To the nearest value with 10 bits of fraction, of two the even one."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    kept = np.uint32(DROPPED_BITS)
    halfway = np.uint32((1 << (DROPPED_BITS - 1)) - 1) + ((bits >> kept) & np.uint32(1))
    return ((bits + halfway) >> kept << kept).view(np.float32)


class Operand(np.ndarray[Any, Any]):
    """An array whose products, ``@`` and einsum of several factors, round both operands."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        given = [plain(each) for each in inputs]
        if ufunc is np.matmul:
            given = [to_tf32(each) for each in given]
        if (out := options.get("out")) is not None:
            options["out"] = tuple(plain(each) for each in out)
        return _wrapped(getattr(ufunc, method)(*given, **options))

    def __array_function__(self, function: Any, types: Any, given: Any, options: Any) -> Any:
        if function is not np.einsum:
            return super().__array_function__(function, types, given, options)
        subscripts, *factors = given
        factors = [plain(each) for each in factors]
        if len(factors) > 1:  # one alone is only added up
            factors = [to_tf32(each) for each in factors]
        return _wrapped(np.einsum(subscripts, *factors, **options))


def plain(array: Any) -> Any:
    """As NumPy's own."""
    return array.view(np.ndarray) if isinstance(array, Operand) else array


def _wrapped(found: Any) -> Any:
    return found.view(Operand) if isinstance(found, np.ndarray) else found
