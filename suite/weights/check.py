"""The same logits in every framework, from the weights of one file."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backends.base import NotSupported
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.engine.progress import Reporter
from suite.engine.remote import RemoteBackend
from suite.plan.configurations import Configuration
from suite.weights.contents import Arrays
from suite.worker.process import WorkerError, WorkerLost
from tasks import codec
from tasks.base import probe_batch
from tasks.spec import SGD, ModelSpec

Verdict = Literal["reference", "same", "different", "failed", "not possible"]

SAMPLES, SEED = 2, 0
MOST_OFF = 1e-4  # of the logits' norm, in float32; twins of ResNet-50 and BERT were within 2e-7


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a program's logits are: how far ``off`` the reference's, relative to their norm, and how
    many of the ``guesses``, the largest of each row, are ``alike``; or ``why`` there are none.
    """

    backend: str
    execution: str
    precision: str
    verdict: Verdict
    off: float | None = None
    alike: int = 0
    guesses: int = 0
    seconds: float = 0.0
    why: str | None = None

    @property
    def wrong(self) -> bool:
        """Is it another function, or none at all where there should be one?"""
        return self.verdict in ("different", "failed")


def check(
    model: ModelSpec,
    start: Arrays,
    asked: Sequence[Configuration],
    reference: Configuration,
    folder: Path,
    progress: Reporter,
) -> list[Answer]:
    """The reference first, then each configuration: of random samples, evaluated with these
    parameters and buffers.
    """
    wide = {path: array.astype(np.float64) for path, array in start.items()}
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
            found = _logits(model, wide, each, folder)
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
        answers.append(_judged(answer, found, wanted, verdict, time.monotonic() - began))
    return answers


def _logits(
    model: ModelSpec, start: Arrays, configuration: Configuration, folder: Path
) -> NDArray[np.float64]:
    task = codec.bare(model, SGD(learning_rate=0.1), SAMPLES)
    with WorkerPool(LiveWorkers(), folder / "logs", "weights") as pool:
        backend = RemoteBackend(pool, configuration, folder)
        return backend.predicted(task, start, probe_batch(task, SAMPLES, SEED))


def _judged(
    answer: Callable[..., Answer],
    found: NDArray[np.float64],
    wanted: NDArray[np.float64],
    verdict: Verdict | None,
    seconds: float,
) -> Answer:
    if found.shape != wanted.shape:
        why = f"its logits have the shape {found.shape}, not {wanted.shape}"
        return answer(verdict="failed", why=why)
    off = float(np.linalg.norm(found - wanted) / max(float(np.linalg.norm(wanted)), 1e-300))
    alike = found.argmax(-1) == wanted.argmax(-1)
    return answer(
        verdict=verdict or ("same" if off <= MOST_OFF else "different"),  # a NaN is different
        off=off,
        alike=int(alike.sum()),
        guesses=alike.size,
        seconds=seconds,
    )
