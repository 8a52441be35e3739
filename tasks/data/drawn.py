"""Random samples in the shapes that a model takes. What is timed does not depend on their values,
and nothing is learnt from them: tasks of real size have them, which are not trained to the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.base import Batch, Splits
from tasks.parameters import ids, uniform
from tasks.spec import Input, ModelSpec

MASKED = 0.15  # of the tokens are targets where not all are (arXiv 1810.04805, section 3.1)
PARTS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class RandomSamples:
    """``train`` samples of a model, and ``held`` for validation and for test each: reals in
    [-1, 1), ids of the whole vocabulary, and a class for every sample or step. With ``masked`` only
    that share of a sample's steps has a target. All steps are valid.
    """

    model: ModelSpec
    train: int
    held: int = 4
    masked: float | None = None

    @property
    def name(self) -> str:
        shapes = (_shape(name, given) for name, given in self.model.every_input.items())
        return f"random samples, {', '.join(shapes)}"

    def load(self) -> Splits:
        """The same arrays every time, each part of a stream of its own."""
        counts = dict(zip(PARTS, (self.train, self.held, self.held), strict=True))
        return Splits(**{part: self._part(part, count) for part, count in counts.items()})

    def _part(self, part: str, count: int) -> Batch:
        def drawn(name: str, given: Input) -> Any:
            stream, shape = f"{part}.inputs.{name}", (count, *given.shape)
            if given.vocabulary is None:
                return uniform(0, stream, shape).astype(np.float32)
            return ids(0, stream, shape, given.vocabulary)

        every = {name: drawn(name, given) for name, given in self.model.every_input.items()}
        *steps, classes = self.model.output_shape()
        targets = ids(0, f"{part}.targets", (count, *steps), classes)
        if self.masked is not None:
            left = uniform(0, f"{part}.masked", targets.shape) >= 2 * self.masked - 1
            left[:, 0] = False  # so that every sample has a target
            targets[left] = -1
        return Batch(inputs=every[""] if self.model.input else every, targets=targets)


def _shape(name: str, given: Input) -> str:
    """``3x224x224``, ``128 ids of 30522``, ``types: 128 ids of 2``."""
    size = "x".join(map(str, given.shape))
    words = size if given.vocabulary is None else f"{size} ids of {given.vocabulary}"
    return f"{name}: {words}" if name else words
