"""Each layer type as JAX computes it. Images are (batch, height, width, channels), sequences
(batch, steps, features).
"""

from __future__ import annotations

from backends.jax.layers.dense import Dense
from backends.jax.layers.image import Image
from backends.jax.layers.recurrent import Recurrent
from backends.jax.layers.sequence import Sequence
from backends.jax.layers.several import Several
from backends.jax.layers.steps import Steps


class Layers(Dense, Image, Sequence, Steps, Recurrent, Several):
    """All lowerings."""
