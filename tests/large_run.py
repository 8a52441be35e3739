"""Run directories in the real schema, written fast: hundreds of runs to build a site from.

A block's line is made by hand, in the form that its checksum is of; what is the same in every run
(phases, memory, parity, trainings) is serialised once. A run of 100 cells and 30 blocks a cell
takes about 0.1 s.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from math import exp
from pathlib import Path
from random import Random

from suite.store.lines import line_of
from suite.store.schema import (
    AccuracyRecord,
    Cell,
    Environment,
    Manifest,
    MemoryRecord,
    ParityRecord,
    ParityResult,
    PhaseRecord,
    Record,
    Training,
)

ARMS = (
    *(("torch", "eager"), ("torch", "compiled"), ("jax", "compiled")),
    *(("tensorflow", "compiled"), ("tensorflow", "eager")),
)
TASKS = {  # milliseconds of a step of training with 16 samples
    "cnn-tiny": 5.0,
    "rnn-tiny": 1.2,
    "transformer-tiny": 4.0,
    "cnn-small": 90.0,
    "rnn-small": 120.0,
    "gru-small": 95.0,
    "transformer-small": 150.0,
}
PHASES = ("train", "infer")
VERSIONS = {"torch": "2.13.0", "jax": "0.10.2", "tensorflow": "2.21.0"}
LAUNCHES, DELTA, SCATTER, LAUNCH_SCATTER = 5, 0.05, 0.015, 0.01
GIB = 2**30
MACHINES = (
    {"cpu": "Example CPU @ 2.60GHz", "cores": 2, "memory_bytes": 8 * GIB},
    {"cpu": "Example CPU @ 3.40GHz", "cores": 16, "memory_bytes": 64 * GIB},
    {"cpu": "Other CPU 7000", "cores": 8, "memory_bytes": 32 * GIB},
)


def large_run(
    path: Path,
    *,
    id: str,  # noqa: A002
    created: str,
    cells: int = 100,
    arms: Sequence[tuple[str, str]] = ARMS,
    blocks: int = 30,
    seed: int = 0,
    machine: int = 0,
    versions: dict[str, str] | None = None,
    factor: Callable[[Cell], float] = lambda cell: 1.0,
    label: str | None = None,
    complete: bool = True,
    profile: str = "standard",
) -> Path:
    """Write ``path/id`` with so many cells and blocks a cell, in five launches; ``path / id``.
    ``machine`` picks one of MACHINES, ``versions`` replaces some of VERSIONS, ``factor`` makes a
    cell's steps so many times as long; runs of the same ``seed`` scatter alike.
    """
    folder = path / id
    folder.mkdir(parents=True)
    planned = list(plan(cells, arms))
    manifest = Manifest(
        id=id,
        created=created,
        tribench="0.1.0",
        command=f"tribench run --profile {profile}",
        label=label,
        profile=profile,
        launches=LAUNCHES,
        seeds=[0],
        delta=DELTA,
        tasks={task: {"spec": f"spec of {task}", "batch_size": 16} for task in TASKS},
        cells=planned,
        complete=complete,
    )
    for name, content in (("manifest", manifest), ("environment", _machine(machine, versions))):
        (folder / f"{name}.json").write_text(content.model_dump_json(by_alias=True, indent=1))
    lines = itertools.chain(
        _blocks(planned, blocks // LAUNCHES, Random(seed), factor), _others(tuple(planned))
    )
    (folder / "records.jsonl").write_text("".join(lines))
    return folder


def plan(cells: int, arms: Sequence[tuple[str, str]] = ARMS) -> Iterator[Cell]:
    """So many cells: comparisons of these arms."""
    sizes = (16 * 8**power for power in itertools.count())
    every = ((size, task, phase) for size in sizes for task in TASKS for phase in PHASES)
    combined = ((*about, *arm) for about in every for arm in arms)
    for size, task, phase, backend, execution in itertools.islice(combined, cells):
        yield Cell(
            task=task,
            phase=phase,
            backend=backend,
            execution=execution,
            precision="float32",
            device="cpu",
            batch_size=size,
        )


def seconds_of(cell: Cell) -> float:
    """A step's, before anything scatters."""
    arm = 1 + 0.15 * _place(cell)
    share = 1.0 if cell.phase == "train" else 0.35
    return TASKS[cell.task] / 1000 * share * arm * (cell.batch_size / 16) ** 0.8


def _machine(number: int, versions: dict[str, str] | None) -> Environment:
    numpy = {"python": "3.11.2", "numpy": "2.3.1"}
    told = VERSIONS | (versions or {})
    return Environment(
        **MACHINES[number],
        threads=2,
        system="Linux 6.1 x86_64, glibc 2.36",
        container=True,
        gpus=[],
        settings={"OMP_NUM_THREADS": "2", "NPROC": "2"},
        coordinator=numpy | {"tribench": "0.1.0"},
        backends={"numpy": numpy} | {name: numpy | {name: told[name]} for name in VERSIONS},
        facts={" ".join(arm): {"threads": "2", arm[0]: told[arm[0]]} for arm in ARMS},
    )


def _blocks(
    cells: Sequence[Cell], rounds: int, random: Random, factor: Callable[[Cell], float]
) -> Iterator[str]:
    """Sorted keys and no spaces: what a checksum is of. It is appended as the last key."""
    for launch in range(LAUNCHES):
        for position, cell in enumerate(cells):
            unit = f"timing/{launch}/{_comparison(cell)}"
            step = seconds_of(cell) * factor(cell) * exp(random.gauss(0, LAUNCH_SCATTER))
            steps = max(1, round(0.03 / step))
            head = f'{{"attempt":"a","cell":{_cell(cell)},"kind":"block","launch":{launch}'
            for number in range(rounds):
                seconds = steps * step * exp(random.gauss(0, SCATTER))
                yield _line(
                    f'{head},"lead_in":1,"noise":{{"cpu_per_wall":1.97,"involuntary_switches":4,'
                    f'"pressure":0.0,"steal":0.0}},"position":{position % 5},"round":{number},'
                    f'"seconds":{seconds!r},"steps":{steps},"unit":"{unit}","void":null}}'
                )


def _line(text: str) -> str:
    return f'{text[:-1]},"checksum":"{sha256(text.encode()).hexdigest()[:16]}"}}\n'


def _comparison(cell: Cell) -> str:
    return "/".join(map(str, cell.comparison))


@cache
def _cell(cell: Cell) -> str:
    return json.dumps(cell.model_dump(), sort_keys=True, separators=(",", ":"))


@cache
def _others(cells: tuple[Cell, ...]) -> tuple[str, ...]:
    """Everything but the blocks, and what closes the units, as lines."""
    return tuple(line_of(record).decode() for record in _other_records(cells))


def _other_records(cells: tuple[Cell, ...]) -> Iterator[Record]:
    units: dict[str, None] = {"parity": None, "memory": None, "accuracy": None}
    for launch, cell in itertools.product(range(LAUNCHES), cells):
        unit = f"timing/{launch}/{_comparison(cell)}"
        units[unit] = None
        step = seconds_of(cell)
        for phase, seconds, samples in (
            ("compile", 1.5 if cell.execution == "compiled" else 3 * step, []),
            ("warmup", 4 * step, [1.2 * step, 1.1 * step, step]),
            ("latency", 8 * step, [step * (1 + 0.01 * number) for number in range(8)]),
        ):
            if phase != "latency" or cell.phase == "infer":
                yield PhaseRecord(
                    unit=unit,
                    attempt="a",
                    phase=phase,  # type: ignore[arg-type]
                    seconds=seconds,
                    launch=launch,
                    cell=cell,
                    samples=samples,
                    steady=True if phase == "warmup" else None,
                )
    for cell in cells:
        size = int(2**20 * (90 + 10 * _place(cell)) * (cell.batch_size / 16) ** 0.5)
        yield MemoryRecord(
            unit="memory",
            attempt="a",
            cell=cell,
            live=size // 2 if cell.backend == "jax" else None,
            reserved=None,
            process=size,
            baseline=250 * 2**20,
        )
    for task, arm in dict.fromkeys((cell.task, cell.arm) for cell in cells):
        yield ParityRecord(unit="parity", attempt="a", result=_parity(task, *arm))
        yield AccuracyRecord(unit="accuracy", attempt="a", training=_training(task, *arm))
    for unit in units:
        yield PhaseRecord(unit=unit, attempt="a", phase="unit", seconds=1.0)


def _parity(task: str, backend: str, execution: str) -> ParityResult:
    return ParityResult(
        task=task,
        backend=backend,
        execution=execution,
        device="cpu",
        precision="float64",
        question="function",
        verdict="same",
        error=2e-14,
        threshold=1e-10,
        errors={"activations": 2e-14, "loss": 1e-15},
    )


def _training(task: str, backend: str, execution: str) -> Training:
    epochs, steps = 10, 790
    return Training(
        task=task,
        backend=backend,
        execution=execution,
        precision="float32",
        device="cpu",
        seed=0,
        epochs=epochs,
        steps=steps,
        batch_size=16,
        seconds=12.5,
        losses=[0.1 + 2.2 * exp(-step / 180) for step in range(steps)],
        validation_accuracies=[0.96 - 0.6 * exp(-epoch / 2.5) for epoch in range(epochs)],
        test_accuracy=0.95,
        test_loss=0.1,
        test_correct=342,
        test_samples=360,
        data_hash="0123456789ab",
    )


def _place(cell: Cell) -> int:
    """Among ARMS; another arm is as the first is."""
    return ARMS.index(cell.arm) if cell.arm in ARMS else 0
