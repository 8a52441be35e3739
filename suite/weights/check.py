"""The same logits in every framework, from the weights of one file."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backends.base import NotSupported
from suite.engine.arrays import Arrays
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.engine.progress import Reporter
from suite.engine.remote import RemoteBackend
from suite.plan.configurations import Configuration
from suite.worker.process import WorkerError, WorkerLost
from tasks import codec
from tasks.base import Batch, Task, probe_batch
from tasks.spec import SGD, ModelSpec

Verdict = Literal["reference", "same", "different", "failed", "not possible"]

SAMPLES, SEED = 2, 0
MOST_SAMPLES = 32  # at a time
MOST_OFF = 1e-4  # of the logits' norm, in float32; twins of ResNet-50 and BERT were within 2e-7


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a program's logits are: how far ``off`` the reference's, relative to their norm, and how
    many of the ``guesses``, the largest of each row, are ``alike``; how many of the ``targets`` are
    guessed ``right``; or ``why`` there are none.
    """

    backend: str
    execution: str
    precision: str
    verdict: Verdict
    off: float | None = None
    alike: int = 0
    guesses: int = 0
    right: int = 0
    targets: int = 0
    seconds: float = 0.0
    why: str | None = None

    @property
    def wrong(self) -> bool:
        """Is it another function, or none at all where there should be one?"""
        return self.verdict in ("different", "failed")


def random_samples(model: ModelSpec) -> Batch:
    """Two, without targets."""
    found = probe_batch(_task(model, SAMPLES), SAMPLES, SEED)
    return replace(found, targets=np.full_like(found.targets, -1))


def check(
    model: ModelSpec,
    start: Arrays,
    samples: Batch,
    asked: Sequence[Configuration],
    reference: Configuration,
    folder: Path,
    progress: Reporter,
) -> list[Answer]:
    """The reference first, then each configuration: what is predicted of the samples with these
    parameters and buffers.
    """
    wide = {path: array.astype(np.float64) for path, array in start.items()}
    given = samples.valid if isinstance(samples.valid, dict) else {"": samples.valid}
    shown = model.valid(given)[model.places()[-1].path]  # a padded step's logits mean nothing
    wanted, answers = None, list[Answer]()
    for each in (reference, *asked):
        answer = partial(
            Answer, backend=each.backend, execution=each.execution, precision=each.precision
        )
        if each.refused:
            answers.append(answer(verdict="not possible", why=each.refused[1]))
            continue
        began = time.monotonic()
        what = f"{each.backend} {each.execution}"
        progress.start(what)
        try:
            found = _logits(model, wide, samples, each, folder)
        except NotSupported as error:
            answers.append(answer(verdict="not possible", why=str(error)))
            continue
        except (WorkerError, WorkerLost) as error:
            answers.append(answer(verdict="failed", why=str(error)))
            if each is reference:
                break  # nothing to compare with
            continue
        finally:
            progress.finish(what, 0.0)
        verdict: Verdict | None = "reference" if wanted is None else None
        wanted = found if wanted is None else wanted
        answer = partial(answer, seconds=time.monotonic() - began)
        answers.append(_judged(answer, samples.targets, shown, found, wanted, verdict))
    return answers


def _task(model: ModelSpec, size: int) -> Task:
    return codec.bare(model, SGD(learning_rate=0.1), size)


def _logits(
    model: ModelSpec, start: Arrays, samples: Batch, configuration: Configuration, folder: Path
) -> NDArray[np.float64]:
    task = _task(model, min(len(samples), MOST_SAMPLES))
    with WorkerPool(LiveWorkers(), folder / "logs", "weights") as pool:
        backend = RemoteBackend(pool, configuration, folder)
        return backend.predicted(task, start, samples)


def _judged(
    answer: Callable[..., Answer],
    targets: NDArray[np.int32],
    shown: NDArray[np.bool_] | None,
    found: NDArray[np.float64],
    wanted: NDArray[np.float64],
    verdict: Verdict | None,
) -> Answer:
    if found.shape != wanted.shape:
        why = f"its logits have the shape {found.shape}, not {wanted.shape}"
        return answer(verdict="failed", why=why)
    if shown is not None:
        found, wanted, targets = found[shown], wanted[shown], targets[shown]
    off = float(np.linalg.norm(found - wanted) / max(float(np.linalg.norm(wanted)), 1e-300))
    counted = targets >= 0
    alike = found.argmax(-1) == wanted.argmax(-1)
    right = found.argmax(-1)[counted] == targets[counted]
    return answer(
        verdict=verdict or ("same" if off <= MOST_OFF else "different"),  # a NaN is different
        off=off,
        alike=int(alike.sum()),
        guesses=alike.size,
        right=int(right.sum()),
        targets=right.size,
    )
