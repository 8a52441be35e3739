"""Each layer type as PyTorch computes it. Images are (batch, channels, height, width) in
channels-last memory, sequences (batch, steps, features).
"""

from __future__ import annotations

from backends.torch.layers.dense import Dense
from backends.torch.layers.image import Image
from backends.torch.layers.recurrent import Recurrent
from backends.torch.layers.sequence import Sequence
from backends.torch.layers.several import Several
from backends.torch.layers.steps import Steps


class Layers(Dense, Image, Sequence, Steps, Recurrent, Several):
    """All lowerings."""
