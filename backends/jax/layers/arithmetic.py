"""What layers of several modules use."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

Arrays = dict[str, Array]


def wide(x: Array) -> Array:
    """In float32 at least."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def product(x: Array, y: Array) -> Array:
    """Kept as wide as it is added up."""
    return jnp.matmul(x, y, preferred_element_type=jnp.promote_types(x.dtype, jnp.float32))


def plus(x: Array, bias: Array) -> Array:
    """Added up in float32 at least, and so is the bias's gradient: in bfloat16 the sum over 1024
    rows had 11 times the error of correct arithmetic.
    """
    return (wide(x) + bias).astype(x.dtype)


def affine(x: Array, weight: Array, bias: Array | None) -> Array:
    y = x @ weight.T
    return y if bias is None else plus(y, bias)
