"""A made-up run with something of everything: ranked cells, failures, parity, trainings."""

from __future__ import annotations

import hashlib
import itertools
import statistics
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from suite.store.run import Run
from suite.store.schema import (
    AccuracyRecord,
    AnyRecord,
    BlockRecord,
    Cell,
    CellMemory,
    CellSummary,
    ComparisonSummary,
    Disagreement,
    Environment,
    Exchange,
    ExchangeRecord,
    FailureRecord,
    Interval,
    LearningSummary,
    LearningVerdict,
    LineRecord,
    Location,
    Manifest,
    MemoryRecord,
    Noise,
    ParityRecord,
    ParityResult,
    PhaseRecord,
    ReferenceLine,
    RoundingSummary,
    Summary,
    Training,
)

LAUNCHES, ROUNDS, STEPS, DELTA = 3, 6, 5, 0.05
ARMS = {"torch": "eager", "jax": "compiled", "tensorflow": "compiled"}
STEP_MILLISECONDS = {  # train; inference takes a third
    "cnn-tiny": {"torch": 31.0, "jax": 74.0, "tensorflow": 45.0},
    "rnn-tiny": {"torch": 4.1, "jax": 2.2, "tensorflow": 2.24},
    "transformer-tiny": {"torch": 12.0, "jax": 12.7, "tensorflow": 18.0},
}
ACCURACIES = {"cnn-tiny": 0.961, "rnn-tiny": 0.956, "transformer-tiny": 0.844}
UNMEASURED = {  # (task, phase, backend, execution): status, reason
    ("rnn-tiny", "infer", "tensorflow", "compiled"): (
        "failed",
        "the worker ended with signal 9 while it measured; its log says: Killed",
    ),
    ("cnn-tiny", "train", "jax", "eager"): (
        "not_supported",
        "JAX has no eager execution worth the name",
    ),
    ("cnn-tiny", "train", "torch@old", "eager"): (
        "not_available",
        "torch 2.9.1 is older than 2.11",
    ),
}
WRONG = ("transformer-tiny", "tensorflow")  # its parity differs

HOSTILE = (
    """=cmd|'/C calc'!A0 </script></title><script>window.hacked = 1</script>"""
    """<img src="x" onerror="window.hacked = 1"> "quoted" {{ 7 * 7 }} | \x1b[31mred"""
)


def sample_run(
    path: Path,
    *,
    rename: Mapping[str, str] | None = None,
    reason: str | None = None,
    **changes: Any,
) -> Run:
    """A run of three tasks, two phases and three backends; nothing is written to ``path``.
    ``rename`` replaces names of tasks and backends, ``reason`` every reason, failure and note,
    ``changes`` are fields of the manifest.
    """
    manifest = _manifest(rename or {}).model_copy(update=changes)
    cells = list(manifest.cells)
    original = {new: old for old, new in (rename or {}).items()}
    blocks = list(_blocks(cells, original))
    parity = [_parity(task, arm, original, reason) for task, arm in _trained(cells, original)]
    trainings = [_training(task, arm, original) for task, arm in _trained(cells, original)]
    summaries = [_summary(cell, blocks, parity, trainings, original, reason) for cell in cells]
    failures = [
        FailureRecord(
            unit="timing",
            attempt="1",
            stage="timing",
            status=cell.status,
            reason=cell.reason or "",
            cell=Cell(**{name: getattr(cell, name) for name in Cell.model_fields}),
        )
        for cell in summaries
        if cell.status != "ok"
    ]
    records: list[AnyRecord] = [*blocks, *_phases(summaries), *_memory(summaries), *failures]
    records += [ParityRecord(unit="parity", attempt="1", result=result) for result in parity]
    records += [
        AccuracyRecord(unit="accuracy", attempt="1", training=training) for training in trainings
    ]
    lines = [_line(task) for task in dict.fromkeys(cell.task for cell in cells)]
    records += [LineRecord(unit="lines", attempt="1", line=line) for line in lines]
    exchanges = [_exchange(a, b) for a in trainings for b in trainings if a.task == b.task]
    records += [ExchangeRecord(unit="exchange", attempt="1", exchange=each) for each in exchanges]
    summary = Summary(
        schema="tribench/run/1",
        id=manifest.id,
        complete=manifest.complete,
        cells=summaries,
        comparisons=list(_comparisons(summaries, parity, reason)),
        parity=parity,
        trainings=trainings,
        failures=[
            f"{cell.task} {cell.phase} {cell.backend}: {cell.reason}"
            for cell in summaries
            if cell.status == "failed"
        ],
        learning=_learning(trainings),
        rounding=[_rounding(training) for training in trainings],
        lines=lines,
        exchanges=exchanges,
        notes=[reason or "no A/A arm in this run: start it with --aa torch to see the noise floor"],
    )
    return Run(
        path=path,
        manifest=manifest,
        environment=_environment(rename or {}),
        records=records,
        summary=summary,
    )


def hostile_run(path: Path, **more: Any) -> Run:
    """The same with every text that a user can type made as harmful as can be."""
    names = ("cnn-tiny", "jax", "torch")
    rename = {name: f"{HOSTILE} {name}" for name in names}
    changes = {"label": HOSTILE, "command": HOSTILE} | more
    return sample_run(path, rename=rename, reason=HOSTILE, **changes)


def _manifest(rename: Mapping[str, str]) -> Manifest:
    planned = [
        (task, phase, backend, execution)
        for task, phase in itertools.product(STEP_MILLISECONDS, ("train", "infer"))
        for backend, execution in ARMS.items()
    ]
    planned += [key for key in UNMEASURED if key not in planned]
    return Manifest(
        schema="tribench/run/1",
        id="20260314T150926Z-1a2b3c4d",
        created="2026-03-14T15:09:26+00:00",
        tribench="0.1.0",
        command="tribench run --profile quick --label 'before the upgrade' --seed 0",
        label="before the upgrade",
        profile="quick",
        launches=LAUNCHES,
        seeds=[0],
        delta=DELTA,
        tasks={rename.get(task, task): {"batch_size": 16} for task in STEP_MILLISECONDS},
        cells=[
            Cell(
                task=rename.get(task, task),
                phase=phase,  # type: ignore[arg-type]
                backend=rename.get(backend, backend),
                execution=execution,
                precision="float32",
                device="cpu",
                batch_size=128,
            )
            for task, phase, backend, execution in planned
        ],
        complete=True,
    )


def _random(*key: object) -> np.random.Generator:
    """The same values for the same key in every process."""
    return np.random.default_rng(int(hashlib.sha256(repr(key).encode()).hexdigest()[:8], 16))


def _key(cell: Cell, original: Mapping[str, str]) -> tuple[str, str, str, str]:
    task, backend = original.get(cell.task, cell.task), original.get(cell.backend, cell.backend)
    return (task, cell.phase, backend, cell.execution)


def _blocks(cells: list[Cell], original: Mapping[str, str]) -> Iterator[BlockRecord]:
    for launch, round_ in itertools.product(range(LAUNCHES), range(ROUNDS)):
        for position, cell in enumerate(cells):
            key = _key(cell, original)
            if key in UNMEASURED:
                continue
            random = _random(*key, launch, round_)
            step = STEP_MILLISECONDS[key[0]][key[2]] / 1000 / (3 if cell.phase == "infer" else 1)
            seconds = STEPS * step * float(np.exp(random.normal(0.01 * launch, 0.012)))
            yield BlockRecord(
                unit="timing",
                attempt="1",
                cell=cell,
                launch=launch,
                round=round_,
                position=position % 3,
                steps=STEPS,
                seconds=seconds,
                noise=Noise(
                    cpu_per_wall=1.97, steal=0.0, pressure=None, involuntary_switches=round_
                ),
            )


def _trained(cells: list[Cell], original: Mapping[str, str]) -> Iterator[tuple[Cell, str]]:
    for cell in cells:
        key = _key(cell, original)
        if cell.phase == "train" and key not in UNMEASURED:
            yield cell, key[2]


def _parity(
    cell: Cell, backend: str, original: Mapping[str, str], reason: str | None
) -> ParityResult:
    wrong = _key(cell, original)[0::2] == WRONG
    worst = 3.1e-6 if wrong else 10 ** _random(cell.task, backend).uniform(-15, -13)
    return ParityResult(
        task=cell.task,
        backend=cell.backend,
        execution=cell.execution,
        device=cell.device,
        precision="float64",
        question="function",
        verdict="different" if wrong else "same",
        reason=(reason or "the layer's output differs from the reference") if wrong else None,
        error=float(worst),
        threshold=1e-10,
        location=Location(kind="layer", path="blocks.0.norm1", field="epsilon", guess="1e-6")
        if wrong
        else None,
        errors={"activations": float(worst), "loss": float(worst / 7)},
    )


def _training(cell: Cell, backend: str, original: Mapping[str, str]) -> Training:
    task = _key(cell, original)[0]
    epochs, steps_per_epoch = 10, 79
    random = _random(task, backend, "training")
    steps = np.arange(epochs * steps_per_epoch)
    losses = 0.1 + 2.2 * np.exp(-steps / 180) * np.exp(random.normal(0, 0.08, len(steps)))
    goal = ACCURACIES[task]
    curve = goal - 0.6 * np.exp(-np.arange(1, epochs + 1) / 2.5) + random.normal(0, 0.006, epochs)
    correct = round(360 * goal) + int(random.integers(-3, 4))
    return Training(
        task=cell.task,
        backend=cell.backend,
        execution=cell.execution,
        precision=cell.precision,
        device=cell.device,
        seed=0,
        epochs=epochs,
        steps=len(steps),
        batch_size=16,
        seconds=12.5,
        losses=[float(loss) for loss in losses],
        validation_accuracies=[float(share) for share in curve],
        test_accuracy=correct / 360,
        test_loss=float(losses[-1]),
        test_correct=correct,
        test_samples=360,
        data_hash="sha256:0123456789abcdef",
        test_macro_f1=correct / 360 - 0.004,
        epoch_seconds=[1.25] * epochs,
        target=0.85,
        steps_to_target=4 * steps_per_epoch if goal > 0.85 else None,
        seconds_to_target=5.0 if goal > 0.85 else None,
        repeats=backend != "tensorflow",
    )


def _learning(trainings: list[Training]) -> list[LearningSummary]:
    """Of each task's first pair EQUIVALENT, of the second DIFFERENT, of the others undecided."""
    found = []
    for task in dict.fromkeys(training.task for training in trainings):
        ours = [training for training in trainings if training.task == task]
        verdicts: dict[int, LearningVerdict] = {0: "EQUIVALENT", 1: "DIFFERENT"}
        for number, (base, new) in enumerate(combinations(ours, 2)):
            said = verdicts.get(number, "INCONCLUSIVE")
            found.append(
                LearningSummary(
                    task=task,
                    precision=base.precision,
                    device=base.device,
                    base=base.backend,
                    new=new.backend,
                    seeds=5,
                    difference=-0.031 if said == "DIFFERENT" else 0.002,
                    low=-0.045 if said == "DIFFERENT" else -0.012,
                    high=-0.017 if said == "DIFFERENT" else 0.016,
                    margin=0.02,
                    verdict=said,
                    seeds_needed=14 if said == "INCONCLUSIVE" else None,
                )
            )
    return found


def _rounding(training: Training) -> RoundingSummary:
    return RoundingSummary(
        task=training.task,
        precision=training.precision,
        device=training.device,
        backend=training.backend,
        seeds=1,
        difference=0.0028,
    )


def _line(task: str) -> ReferenceLine:
    return ReferenceLine(
        task=task,
        model="SVM (RBF)",
        test_accuracy=0.981,
        test_macro_f1=0.98,
        test_samples=360,
        seconds=0.3,
        data_hash="sha256:0123456789abcdef",
    )


def _exchange(trained: Training, evaluated: Training) -> Exchange:
    other = trained != evaluated
    return Exchange(
        task=trained.task,
        seed=0,
        precision=trained.precision,
        trained_in=trained.backend,
        evaluated_in=evaluated.backend,
        samples=360,
        error=3.1e-6,
        rounding=2.2e-6,
        wrong=0,
        disagreements=[Disagreement(sample=71, margin=1.3e-6)] if other else [],
    )


def _summary(
    cell: Cell,
    blocks: list[BlockRecord],
    parity: list[ParityResult],
    trainings: list[Training],
    original: Mapping[str, str],
    reason: str | None,
) -> CellSummary:
    key = _key(cell, original)
    status, why = UNMEASURED.get(key, ("ok", None))
    ours = [block.seconds / block.steps for block in blocks if block.cell == cell]
    step = statistics.median(ours) if ours else None
    by_launch = [ours[n * ROUNDS : (n + 1) * ROUNDS] for n in range(LAUNCHES)] if ours else []
    training = next(
        (t for t in trainings if (t.task, t.backend, t.execution) == (cell.task, *cell.arm)), None
    )
    if cell.phase == "infer" or not ours:
        training = None
    judged = [p.verdict for p in parity if (p.task, p.backend) == (cell.task, cell.backend)]
    train = cell.phase == "train"
    return CellSummary(
        **cell.model_dump(),
        status=status,  # type: ignore[arg-type]
        reason=(reason or why) if why else None,
        samples_per_second=cell.batch_size / step if step else None,
        step_seconds=Interval(value=step, low=step * 0.985, high=step * 1.02) if step else None,
        launches=LAUNCHES if ours else 0,
        blocks=len(ours),
        compile_seconds=_compile_seconds(key[2], train) if ours else None,
        memory=CellMemory(
            live=(48 if train else 17) * 2**20 if key[2] == "jax" and ours else None,
            reserved=None,
            process=int(_random(*key).integers(90, 420)) * 2**20 if ours else None,
        ),
        accuracy=training.test_accuracy if training else None,
        test_samples=training.test_samples if training else None,
        parity=judged[0] if judged and ours else None,
        launch_seconds=[statistics.median(launch) for launch in by_launch],
    )


def _compile_seconds(backend: str, train: bool) -> float | None:
    seconds = {"jax": 1.4, "tensorflow": 3.2}.get(backend)
    return seconds if seconds is None or train else seconds / 2


def _comparisons(
    cells: list[CellSummary], parity: list[ParityResult], reason: str | None
) -> Iterator[ComparisonSummary]:
    wrong = {(result.task, result.backend) for result in parity if result.verdict != "same"}
    for base, new in itertools.combinations(cells, 2):
        if base.comparison != new.comparison or not base.step_seconds or not new.step_seconds:
            continue
        ratio = new.step_seconds.value / base.step_seconds.value
        spread = 0.015 if base.phase == "train" else 0.07
        low, high = ratio * (1 - spread), ratio * (1 + spread)
        inside = low > 1 - DELTA and high < 1 + DELTA
        verdict = "FASTER" if high < 1 else "SLOWER" if low > 1 else "INCONCLUSIVE"
        gated = {(base.task, base.backend), (new.task, new.backend)} & wrong
        yield ComparisonSummary(
            task=base.task,
            phase=base.phase,
            precision=base.precision,
            device=base.device,
            batch_size=base.batch_size,
            base=base.backend,
            new=new.backend,
            ratio=ratio,
            low=low,
            high=high,
            delta=DELTA,
            launches=LAUNCHES,
            paired=True,
            verdict=None if gated else "EQUIVALENT" if inside else verdict,  # type: ignore[arg-type]
            reason=(reason or "parity: a backend computes something else") if gated else None,
            launch_ratios=[
                b / a for a, b in zip(base.launch_seconds, new.launch_seconds, strict=True)
            ],
        )


def _phases(cells: list[CellSummary]) -> Iterator[PhaseRecord]:
    for backend, seconds in {"torch": 2.5, "jax": 0.7, "tensorflow": 4.3}.items():
        yield PhaseRecord(
            unit="timing", attempt="1", phase="import", seconds=seconds, launch=0, backend=backend
        )
    for cell in cells:
        if cell.step_seconds:
            yield PhaseRecord(
                unit="timing",
                attempt="1",
                phase="warmup",
                seconds=1.5,
                launch=0,
                backend=cell.backend,
                cell=Cell(**{name: getattr(cell, name) for name in Cell.model_fields}),
                samples=[cell.step_seconds.value * factor for factor in (3, 1.2, 1)],
                steady=True,
                facts={"layout": "channels-last"},
            )


def _memory(cells: list[CellSummary]) -> Iterator[MemoryRecord]:
    for cell in cells:
        if cell.memory.process is not None:
            yield MemoryRecord(
                unit="memory",
                attempt="1",
                cell=Cell(**{name: getattr(cell, name) for name in Cell.model_fields}),
                **cell.memory.model_dump(),
                baseline=250 * 2**20,
            )


def _environment(rename: Mapping[str, str]) -> Environment:
    versions = {"torch": "2.13.0", "jax": "0.10.2", "tensorflow": "2.21.0"}
    facts = {
        "torch": {"layout": "channels-last", "LSTM": "fused", "threads": "2"},
        "jax": {"LSTM": "lax.scan", "threads": "2"},
        "tensorflow": {"XLA": "on", "LSTM": "while loop under XLA", "threads": "2"},
    }
    return Environment(
        cpu="Example CPU @ 2.60GHz",
        cores=2,
        threads=2,
        memory_bytes=8 * 2**30,
        system="Linux 6.1 x86_64, glibc 2.36",
        container=True,
        gpus=[],
        settings={"OMP_NUM_THREADS": "2", "MALLOC_TRIM_THRESHOLD_": "1073741824"},
        coordinator={"python": "3.11.2", "tribench": "0.1.0", "numpy": "2.3.1"},
        backends={
            rename.get(name, name): {"python": "3.11.2", name: version, "numpy": "2.3.1"}
            for name, version in versions.items()
        },
        facts={f"{rename.get(name, name)} {ARMS[name]}": told for name, told in facts.items()},
    )
