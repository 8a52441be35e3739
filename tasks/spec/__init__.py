"""The language of models: layers, losses, optimizers and whole models as frozen data.

Nothing here computes. A layer knows the shapes that it takes and gives, its parameters and its
floating-point operations; the backends know how to compute it. Whatever the frameworks disagree on
(padding, epsilon, gate order, number of biases, flatten order, the optimizer's formula) is a field
or is fixed by the docstring, so that no framework default can slip in.

Shapes leave out the batch: an image is (channels, height, width), a sequence (steps, features), a
sequence of token ids (steps,). Parameters have PyTorch's shapes.
"""

from tasks.spec.dense import GELU, Dropout, LayerNorm, Linear, ReLU, RMSNorm, Sigmoid, SiLU, Tanh
from tasks.spec.image import (
    AvgPool,
    BatchNorm,
    Conv2d,
    Flatten,
    GroupNorm,
    MaxPool,
    MeanPlaces,
    PlacesToSteps,
    Size,
    pair,
)
from tasks.spec.layer import Layer, Parameter, Shape, SpecError
from tasks.spec.model import (
    Entry,
    Input,
    Layers,
    ModelSpec,
    Place,
    Residual,
    Sequential,
    local,
    walk,
)
from tasks.spec.optimizer import (
    CTC,
    SGD,
    AdamW,
    CrossEntropy,
    Loss,
    Optimizer,
)
from tasks.spec.sequence import (
    GRU,
    LSTM,
    Attention,
    Embedding,
    LastStep,
    MeanSteps,
    PositionalEmbedding,
    PositionalEncoding,
    Recurrent,
    Rotary,
)
from tasks.spec.several import Add, Concat, Multiply
from tasks.spec.steps import ClassToken, Conv1d, FirstStep

__all__ = [
    "CTC",
    "GELU",
    "GRU",
    "LSTM",
    "SGD",
    "AdamW",
    "Add",
    "Attention",
    "AvgPool",
    "BatchNorm",
    "ClassToken",
    "Concat",
    "Conv1d",
    "Conv2d",
    "CrossEntropy",
    "Dropout",
    "Embedding",
    "Entry",
    "FirstStep",
    "Flatten",
    "GroupNorm",
    "Input",
    "LastStep",
    "Layer",
    "LayerNorm",
    "Layers",
    "Linear",
    "Loss",
    "MaxPool",
    "MeanPlaces",
    "MeanSteps",
    "ModelSpec",
    "Multiply",
    "Optimizer",
    "Parameter",
    "Place",
    "PlacesToSteps",
    "PositionalEmbedding",
    "PositionalEncoding",
    "RMSNorm",
    "ReLU",
    "Recurrent",
    "Residual",
    "Rotary",
    "Sequential",
    "Shape",
    "SiLU",
    "Sigmoid",
    "Size",
    "SpecError",
    "Tanh",
    "local",
    "pair",
    "walk",
]
