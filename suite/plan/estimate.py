"""How long the parts of a run may take: guesses in seconds, for the time left and the time budget.

Set by what the units of standard runs took on two cores: parity 9 minutes, memory 6, the inference
half of a launch 5.6. A guess is no claim.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import psutil

from suite.machine import control_group
from suite.plan.configurations import Configuration
from suite.records.schema import Cell
from suite.worker.environment import threads
from tasks.base import Task

RATE = 4.5e10  # operations a second and core that training reaches, over tasks and backends
LEAST_STEP_SECONDS = 1e-3
START_SECONDS = 5.0
COMPILE_SECONDS = 1.0  # and as many again for every 20 layers
COMPILED = 0.4  # of it, where it was compiled before
TRAINING_FACTOR = 3  # a step's operations in those of a forward pass
LOOK_STEPS = 40  # that the looks at an arm in the first launch come to: of ResNet-50 5 minutes
TIMED_SECONDS = 3.0  # of an arm's blocks and their lead-ins, at least
BASELINES_SECONDS = 1.5  # of a task's baselines
PARITY_STEPS = 24  # optimizer steps, captures and the like that a question comes to
SAMPLES = 1257  # of a training, where the data do not tell: those of the bundled digits
# Of a task's parameters in float64: what parity has in files at once, and what of it the reference
# keeps while other tasks are asked about. BERT's took 22 GB, 25 times 0.88.
PARITY_FILES, KEPT_FILES = 27, 10
AT_ONCE = 2  # job groups, of all stages but timing
MANY_PARTS = 4  # fewer are not worth a start of every framework each


def parity_parts(tasks: Iterable[Task]) -> int:
    """Into how many job groups the tasks of a program are divided in parity, each part with a
    reference of its own: with many cores most of the time is compiling, which one core does. A part
    takes up to 5 GiB, or with a task of real size all that there is.
    """
    if any(task.real_size for task in tasks):
        return 1
    memory = control_group.memory_bytes(psutil.virtual_memory().total)
    able = min(threads() // 2, (memory >> 30) // 5)
    return able if able >= MANY_PARTS else 1


def parity_share(tasks: Collection[Task]) -> int:
    """How many job groups of parity divide the cores. Programs of real size are asked one after the
    other: one of BERT takes 8 GiB.
    """
    return 1 if any(task.real_size for task in tasks) else max(AT_ONCE, parity_parts(tasks))


def parity_at_once(tasks: Collection[Task]) -> int:
    """How many are asked: one more than divide the cores works while others wait."""
    share = parity_share(tasks)
    return share + 1 if share > 1 else 1


def parity_files(tasks: Collection[Task]) -> int:
    """Bytes of temporary files that parity may take at once."""
    each = [8 * task.model.size() for task in tasks]
    return KEPT_FILES * sum(each) + (PARITY_FILES - KEPT_FILES) * max(each, default=0)


def step(task: Task, phase: str, size: int, cores: int) -> float:
    """A step of one arm."""
    factor = TRAINING_FACTOR if phase == "train" else 1
    return max(LEAST_STEP_SECONDS, factor * task.model.flops() * size / (RATE * cores))


def compiling(task: Task) -> float:
    """Building and compiling, averaged over executions."""
    return COMPILE_SECONDS * (1 + len(task.model.places()) / 20)


def parity(
    task: Task, configuration: Configuration, thorough: bool = False, built: bool = False
) -> float:
    """All questions about one task in one configuration; ``built``: another seed was before."""
    if configuration.refused is not None:
        return 0.1
    slower = 1.5 if configuration.precision == "float64" else 1
    each = step(task, "train", task.batch_size, max(1, threads() // AT_ONCE))
    alone = len(task.model.places()) / 8 if thorough else 0  # layers, compiled one by one
    start = START_SECONDS / 2 + compiling(task) + alone
    return (1.0 if built else start) + slower * PARITY_STEPS * each


def timing(task: Task, cells: Sequence[Cell], share: float = 1.0, first: bool = True) -> float:
    """A launch of one comparison: warm-up and rounds, in a share of the usual seconds. Only the
    first one compiles, and looks at what is timed, which shows where steps take seconds.
    """
    arms, each = len(cells), step(task, cells[0].phase, cells[0].batch_size, threads())
    warming = (1.0 if first else COMPILED) * compiling(task) + max(0.3, 6 * each)
    rounds = 6 if arms < 4 else arms if arms > 5 and arms % 2 == 0 else 2 * arms
    looks = LOOK_STEPS * each if first and task.real_size else 0.0
    blocks = max(share * TIMED_SECONDS, 2 * rounds * each)
    return arms * (START_SECONDS / 10 + warming + looks + blocks)


def memory(task: Task, cell: Cell) -> float:
    """A cell in a process of its own."""
    each = step(task, cell.phase, cell.batch_size, threads())
    return START_SECONDS + compiling(task) + 3 * each


def exchange(task: Task, configurations: int) -> float:
    """A task's checkpoints, each evaluated in every configuration and by the reference."""
    return (configurations + 1) * (START_SECONDS + compiling(task))


def training(task: Task) -> float:
    """A training to the end."""
    steps = task.epochs * (_samples(task) // task.batch_size)
    each = step(task, "train", task.batch_size, max(1, threads() // AT_ONCE))
    return START_SECONDS + compiling(task) + steps * each


def _samples(task: Task) -> int:
    """Of its training; data may tell it as ``train``."""
    count = getattr(task.data, "train", None)
    return count if isinstance(count, int) else SAMPLES
