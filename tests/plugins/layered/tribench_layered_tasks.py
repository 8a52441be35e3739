"""Third-party tasks in parts that few know. Workers do not import this module."""

import sys
from dataclasses import replace
from pathlib import Path

from tribench_layered_spec import Double, Hinge, Signs

from tasks import cnn
from tasks.rnn import tiny
from tasks.spec import BatchNorm, Conv2d, Flatten, Linear


def tasks():
    """A layer that one adapter has, a loss and an optimizer that none has, a layer whose package
    the workers cannot import, and a batch norm of one place.
    """
    sys.path.append(str(Path(__file__).parent / "only_here"))
    from tribench_layered_here import Hidden

    return [
        _named("double", model=_with(Double())),
        _named("hinge", loss=Hinge()),
        _named("signs", optimizer=Signs(learning_rate=0.1)),
        _named("hidden", model=_with(Hidden())),
        _narrow(),
    ]


def _named(name, **changes):
    return replace(tiny(), name=name, **changes)


def _with(layer):
    model = tiny().model
    return replace(model, layers=(*model.layers, ("odd", layer)))


def _narrow():
    task = cnn.tiny()
    layers = (
        ("conv", Conv2d(in_channels=3, out_channels=4, kernel_size=24, bias=False)),
        ("norm", BatchNorm(channels=4, epsilon=1e-5, momentum=0.1)),
        ("flat", Flatten()),
        ("fc", Linear(in_features=4, out_features=10)),
    )
    return replace(task, name="narrow", model=replace(task.model, layers=layers))
