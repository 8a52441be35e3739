"""Holds every model beside the libraries' own implementations: evaluation's logits, training's
loss, and every gradient, from the same random parameters, in float64.

``python -m tests.studies.witnesses.check LIBRARY=INTERPRETER... [--only PATTERN] [--output FILE]``;
each model's answers are written when they are there, in place of older ones.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.engine.arrays import Arrays
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.engine.remote import RemoteBackend
from suite.files import write_whole
from suite.plan.configurations import Configuration, configurations, reference_configuration
from suite.plan.options import Choice
from suite.worker.installations import discover
from suite.worker.process import Limits, WorkerSettings
from tasks.base import Batch
from tasks.models.names import Names, to_theirs
from tests.studies.witnesses.models import WITNESSES, Witness

LOGITS, BUFFERS = 1e-12, 1e-12  # what may be off, relative
LEAST = 1e-6  # of the largest gradient: a smaller one is measured by that
FULL = (("numpy", "eager"), ("torch", "eager"))
OTHER_NAMES = 3  # what a witness exits with; also in its script


class NotItsNames(Exception):
    """The library's class has other arrays; the script has said which."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How far a program is off its witness: relative errors, of gradients the worst one's; and is
    it the ``same`` function?
    """

    model: str
    library: str
    kind: str
    backend: str
    execution: str
    parameters: int
    logits: float
    loss: float
    gradient: float
    worst: str
    buffers: float
    seconds: float
    same: bool


def main() -> int:
    """0 if all are the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("interpreters", nargs="+", metavar="LIBRARY=INTERPRETER")
    parser.add_argument("--only", default="*", metavar="PATTERN")
    parser.add_argument("--output", type=Path, metavar="FILE")
    asked = parser.parse_args()
    interpreters = dict(each.split("=", 1) for each in asked.interpreters)
    chosen = [w for w in WITNESSES if w.library in interpreters and fnmatch(w.name, asked.only)]
    installed = discover({})
    ours = configurations(Choice(), installed, "float64", every=True)
    every = [reference_configuration(installed), *(each for each in ours if not each.refused)]
    answers: list[Answer] = []
    with tempfile.TemporaryDirectory() as folder:
        for witness in chosen:
            found = ask(witness, interpreters[witness.library], every, Path(folder))
            answers += found
            if asked.output:
                _keep(asked.output, witness, found)
    wrong = sum(not answer.same for answer in answers)
    print(f"{len(answers)} programs beside {len(chosen)} witnesses; {wrong} not the same")
    return int(wrong > 0 or not answers)


def _keep(file: Path, witness: Witness, found: list[Answer]) -> None:
    """Put a model's answers into the file, in place of older ones, in the order of the models."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    known = [each for each in known if each["model"] != witness.name]
    known += [asdict(answer) for answer in found]
    turns = [each.name for each in WITNESSES]
    known.sort(key=lambda each: turns.index(each["model"]))
    write_whole(file, json.dumps(known, indent=1) + "\n")


def ask(
    witness: Witness, interpreter: str, every: Iterable[Configuration], folder: Path
) -> list[Answer]:
    """What each program is off; of a model at its own size those of FULL alone."""
    wanted = witnessed(witness, interpreter, folder)
    answers = []
    for configuration in every:
        if witness.twin or (configuration.backend, configuration.execution) in FULL:
            answers.append(held(witness, configuration, wanted, folder))
            print(_line(answers[-1]), flush=True)
    return answers


def witnessed(witness: Witness, interpreter: str, folder: Path) -> Arrays:
    """What the library makes of it; NotItsNames where it has other arrays."""
    names, batch, start = witness.names, witness.batch(), witness.start()
    place = witness.name.replace(" ", "-")
    given = {f"p/{name}": array for name, array in to_theirs(names, start).items()}
    inputs = batch.inputs if isinstance(batch.inputs, dict) else {"": batch.inputs}
    for name, theirs in witness.inputs.items():
        array = inputs[name]
        given[f"x/{theirs}"] = array.astype(np.int64) if array.dtype == np.int32 else array
    if witness.valid is not None:
        valid = witness.valid if isinstance(witness.valid, dict) else {"": witness.valid}
        for name, theirs in witness.masks.items():
            given[f"x/{theirs}"] = valid[name].astype(np.int64)
    np.savez(folder / f"{place}-given.npz", targets=batch.targets, **given)  # type: ignore[arg-type]
    told = {"class": witness.kind, "arguments": dict(witness.arguments)}
    (folder / f"{place}.json").write_text(json.dumps(told), encoding="utf-8")
    script = Path(__file__).with_name(f"{witness.library}_witness.py")
    done = subprocess.run([interpreter, script, folder, place], timeout=1200)
    if done.returncode == OTHER_NAMES:
        raise NotItsNames(f"the arrays of {witness.name} are not those of {witness.kind}")
    done.check_returncode()
    with np.load(folder / f"{place}-made.npz") as arrays:
        return dict(arrays)


def held(witness: Witness, configuration: Configuration, wanted: Arrays, folder: Path) -> Answer:
    """How far a program of the spec is off, in a worker."""
    began, batch = time.monotonic(), witness.batch()
    settings = WorkerSettings(limits=Limits(answer_seconds=1200))
    with WorkerPool(LiveWorkers(), folder / "logs", "witness", settings) as pool:
        backend = RemoteBackend(pool, configuration, folder)
        found = backend.build_at(witness.task, witness.start(), batch).capture()
    program = (configuration.backend, configuration.execution)
    judged = _judged(witness, program, _named(witness.names, found), wanted, batch)
    return Answer(**judged, seconds=round(time.monotonic() - began, 1))


def _named(names: Names, found: Arrays) -> Arrays:
    """Ours by the library's names: ``g/`` and ``b/``, beside logits and loss."""
    made = {"logits": found["predictions/logits"], "loss": found["loss"]}
    for part, short in (("gradients", "g"), ("buffers", "b")):
        own = {k.removeprefix(f"{part}/"): a for k, a in found.items() if k.startswith(f"{part}/")}
        made |= {f"{short}/{name}": array for name, array in to_theirs(names, own).items()}
    return made


def _judged(
    witness: Witness,
    program: tuple[str, str],
    found: Arrays,
    wanted: Arrays,
    batch: Batch,
) -> dict[str, Any]:
    counted = batch.targets >= 0  # a padded step's logits mean nothing
    largest = max(float(np.linalg.norm(a)) for key, a in wanted.items() if key.startswith("g/"))
    gradients = {
        name: _off(array, wanted.get(f"g/{name}"), LEAST * largest)
        for key, array in found.items()
        if key.startswith("g/") and (name := key[2:])
    }
    buffers = [
        _off(array, wanted.get(key))
        for key, array in found.items()
        if key.startswith("b/") and not (witness.apart and re.search(witness.apart, key))
    ]
    worst = max(gradients, key=lambda name: gradients[name])
    gradient = gradients[worst]
    logits = _off(found["logits"][counted], wanted["logits"][counted])
    loss = _off(found["loss"], wanted["loss"])
    statistics = max(buffers, default=0.0)
    return {
        "model": witness.name,
        "library": witness.library,
        "kind": witness.kind,
        "backend": program[0],
        "execution": program[1],
        "parameters": witness.parameters,
        "logits": logits,
        "loss": loss,
        "gradient": gradient,
        "worst": worst,
        "buffers": statistics,
        "same": max(logits, loss) <= LOGITS
        and gradient <= witness.gradients
        and statistics <= BUFFERS,
    }


def _off(found: NDArray[Any], wanted: NDArray[Any] | None, least: float = 0.0) -> float:
    """Of the larger of the wanted norm and ``least``; infinite where nothing was wanted."""
    if wanted is None or found.shape != wanted.shape:
        return float("inf")
    norm = float(np.linalg.norm(wanted))
    return float(np.linalg.norm(found - wanted)) / max(norm, least, 1e-300)


def _line(answer: Answer) -> str:
    """For people."""
    verdict = "same" if answer.same else "DIFFERENT"
    return (
        f"{verdict:9} {answer.model:24} {answer.backend:10} {answer.execution:8} "
        f"logits {answer.logits:.1e}, loss {answer.loss:.1e}, gradients {answer.gradient:.1e} "
        f"({answer.worst}), buffers {answer.buffers:.1e}, {answer.seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
