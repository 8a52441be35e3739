"""JAX."""

from backends.jax.backend import Backend

__all__ = ["Backend"]
