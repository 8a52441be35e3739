"""Every layer's formula and, by hand, its derivative.

Unlike in the other adapters, a lowering returns ``(y, vjp)``: NumPy differentiates nothing itself,
and a derivative by hand can give with each parameter's gradient the scale by which its error is
judged. ``vjp(dy)`` is ``(dx, {local name: Gradient})``; for token ids dx is None.

Indices of the sums: n sample; c, o channel in and out; i, j place in the output image; u, v place
in a window; t step; q, k step as query and as key; h head; d feature of a head; r row; f, g feature
in and out.
"""

from __future__ import annotations

from backends.numpy.layers.arithmetic import Gradient, Gradients, Lowered, Vjp
from backends.numpy.layers.dense import Dense
from backends.numpy.layers.image import Image
from backends.numpy.layers.recurrent import Recurrent
from backends.numpy.layers.sequence import Sequence
from backends.numpy.layers.several import Several
from backends.numpy.layers.steps import Steps

__all__ = ["Gradient", "Gradients", "Layers", "Lowered", "Vjp"]


class Layers(Dense, Image, Sequence, Steps, Recurrent, Several):
    """All lowerings."""
