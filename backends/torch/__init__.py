"""PyTorch."""

from backends.torch.backend import Backend

__all__ = ["Backend"]
