"""What operations answer, for both ends of the pipe: JSON has each as the list of its fields."""

from __future__ import annotations

from typing import Any, NamedTuple


class Built(NamedTuple):
    """A program: the seconds that building took, and the paths that it takes."""

    seconds: float
    facts: dict[str, str]


class BlockTimes(NamedTuple):
    """What the worker saw of some steps: their seconds by the monotonic clock and by the wall's,
    how many programs were compiled in them (None: nothing ever is), and what else the machine did
    (suite.machine.noise). Of the last result: is it ``finite``, how long was it not there when
    ``wait`` had returned, and how far is it from what its batch must give
    (suite.worker.fresh.distance; None where that is not known)? The worker was busy with all of
    that for ``whole_seconds``.
    """

    seconds: float
    wall_seconds: float
    compiled: int | None
    noise: dict[str, Any]
    finite: bool = True
    late_seconds: float = 0.0
    apart: float | None = None
    whole_seconds: float = 0.0


class InARow(NamedTuple):
    """Steps of training, without a wait between them and with one after each: how far ``apart``
    the parameters are at the end, in units of the way that they went, and how many of the steps
    with waits left parameters ``standing`` that others move. Where they are apart at all, those of
    the steps with waits were made ``again``, and were so far apart from themselves.
    """

    steps: int
    apart: float
    standing: int
    again: float = 0.0


class Freshness(NamedTuple):
    """Seconds of the quickest step over ``new`` batches that the program has not met, and of one
    over the last of them, ``repeated``; the ``bytes`` of a batch's inputs. Of predictions: those of
    the same batches put on the device ``since`` the parameters changed, and how far ``apart`` the
    results were from those.
    """

    new: float
    repeated: float
    since: float | None = None
    apart: float | None = None
    bytes: int = 0


class Fed(NamedTuple):
    """Steps that had their batch put on the device first, and their seconds."""

    seconds: float
    steps: int


class Trained(NamedTuple):
    """The loss before each step, and the seconds of all."""

    losses: list[float]
    seconds: float


class Evaluation(NamedTuple):
    """Of a split: the targets that were guessed, all that count (one of a sample, or of every
    step), the mean loss (NaN if any logit is not finite, or if none counts), how often each class
    (rows) was taken for each (columns; empty for targets of steps), and whether to predict has
    ``changed`` what training changes. With CTC a sample is guessed where all of its ``labels`` are;
    ``errors`` are how many must be put in, taken out or changed, over all samples. Of targets of
    steps, ``whole`` counts the ``sequences`` all of whose targets are guessed.
    """

    correct: int
    samples: int
    loss: float
    confusion: list[list[int]]
    changed: bool = False
    errors: int = 0
    labels: int = 0
    whole: int = 0
    sequences: int = 0

    @property
    def sequence_accuracy(self) -> float | None:
        """The share of whole sequences."""
        return self.whole / self.sequences if self.sequences else None

    @property
    def error_rate(self) -> float | None:
        """The share of labels; it is above 1 where too many are put in."""
        return self.errors / self.labels if self.labels else None


class Captured(NamedTuple):
    """The loss of a batch, and the scales that belong to its inner values."""

    loss: float
    scales: dict[str, float]


class Peak(NamedTuple):
    """Bytes since ``start``: of the framework's allocator, planned by its compiler, of the process
    above its baseline; None where that cannot be told.
    """

    live: int | None
    reserved: int | None
    planned: int | None
    process: int | None
    baseline: int | None
