"""Each layer type as TensorFlow computes it. Images are (batch, height, width, channels),
sequences (batch, steps, features).
"""

from __future__ import annotations

from backends.tensorflow.layers.dense import Dense
from backends.tensorflow.layers.image import Image
from backends.tensorflow.layers.recurrent import Recurrent
from backends.tensorflow.layers.sequence import Sequence
from backends.tensorflow.layers.several import Several
from backends.tensorflow.layers.steps import Steps


class Layers(Dense, Image, Sequence, Steps, Recurrent, Several):
    """All lowerings."""
