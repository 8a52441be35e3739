"""Third-party tasks in parts that few know. Workers do not import this module."""

import sys
from dataclasses import replace
from pathlib import Path

from tribench_layered_spec import Double, Hinge, Signs

from tasks.rnn import tiny


def tasks():
    """A layer that one adapter has, a loss and an optimizer that none has, and a layer whose
    package the workers cannot import.
    """
    sys.path.append(str(Path(__file__).parent / "only_here"))
    from tribench_layered_here import Hidden

    return [
        _named("double", model=_with(Double())),
        _named("hinge", loss=Hinge()),
        _named("signs", optimizer=Signs(learning_rate=0.1)),
        _named("hidden", model=_with(Hidden())),
    ]


def _named(name, **changes):
    return replace(tiny(), name=name, **changes)


def _with(layer):
    model = tiny().model
    return replace(model, layers=(*model.layers, ("odd", layer)))
