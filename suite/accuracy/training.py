"""Training to the end by the task's recipe: loss curve, validation curve, test accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from suite import cost
from suite.crew import Crew
from suite.material import Material
from suite.plan import Lane
from suite.store.schema import AccuracyRecord, FailureRecord, Training
from suite.work import FAILURES, Sink, Track, Unit, Unusable, status_of
from suite.worker.host import Worker


def tracks(lanes: Sequence[Lane], materials: Sequence[Sequence[Material]]) -> tuple[Track, ...]:
    """A track per lane and task, longest first so that none is left over at the end; a unit per
    seed. ``materials`` are those of each task's seeds.
    """
    found = [
        Track(
            suffix=f"training-{seeded[0].task.name}-{lane.execution}-{lane.precision}",
            units=tuple(_unit(lane, material) for material in seeded),
        )
        for seeded in materials
        for lane in lanes
    ]
    return tuple(sorted(found, key=lambda track: -sum(unit.cost_seconds for unit in track.units)))


def _unit(lane: Lane, material: Material) -> Unit:
    task, seed, name = material.task, material.seed, lane.arm.name

    def do(crew: Crew, sink: Sink) -> None:
        try:
            sink.emit(AccuracyRecord, training=_train(crew, lane, material))
        except FAILURES as error:
            crew.lose(lane)
            sink.emit(
                FailureRecord,
                stage="accuracy",
                status=status_of(error),
                reason=str(error),
                task=task.name,
                backend=name,
                execution=lane.execution,
            )

    return Unit(
        name=f"accuracy/{task.name}/{name}/{lane.execution}/{lane.precision}/{seed}",
        what=f"training {task.name} for {task.epochs} epochs, {name} {lane.execution}, seed {seed}",
        cost_seconds=cost.training(task),
        do=do,
    )


def _train(crew: Crew, lane: Lane, material: Material) -> Training:
    task, per_epoch = material.task, material.steps_per_epoch
    crew.build(lane, material, material.initial)
    worker = crew.member(lane).worker
    losses: list[float] = []
    validation: list[float] = []
    seconds = 0.0
    for first in range(0, task.epochs * per_epoch, per_epoch):
        part = worker.call("train", task=task.name, first=first, last=first + per_epoch)
        losses += part["losses"]
        seconds += part["seconds"]
        if not all(map(isfinite, part["losses"])):
            step = next(i for i, loss in enumerate(losses) if not isfinite(loss))
            raise Unusable(f"the loss of {task.name} is not finite at step {step + 1}")
        seen = _evaluate(worker, task.name, "validation", len(losses))
        validation.append(seen["correct"] / seen["samples"])
    tested = _evaluate(worker, task.name, "test", len(losses))
    return Training(
        task=task.name,
        backend=lane.arm.name,
        execution=lane.execution,
        precision=lane.precision,
        device=lane.device,
        seed=material.seed,
        epochs=task.epochs,
        steps=len(losses),
        batch_size=task.batch_size,
        seconds=seconds,
        losses=losses,
        validation_accuracies=validation,
        test_accuracy=tested["correct"] / tested["samples"],
        test_loss=tested["loss"],
        test_correct=tested["correct"],
        test_samples=tested["samples"],
        data_hash=material.data_hash,
    )


def _evaluate(worker: Worker, task: str, split: str, steps: int) -> dict[str, Any]:
    """What ``evaluate`` answers; Unusable if the loss or a logit is not finite."""
    found: dict[str, Any] = worker.call("evaluate", task=task, split=split)
    if not isfinite(found["loss"]):
        why = f"the {split} loss or a logit of {task} is not finite after {steps} steps"
        raise Unusable(why)
    return found
