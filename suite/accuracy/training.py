"""Training to the end by the task's recipe: loss curve, validation curve, test accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from suite.crew import Crew
from suite.material import Material
from suite.plan import Lane
from suite.store.schema import AccuracyRecord, FailureRecord, Status, Training
from suite.work import FAILURES, Sink, Track, Unit, status_of

COST_SECONDS = 8.0


class Diverged(Exception):
    """A loss that is not a finite number."""


def tracks(lanes: Sequence[Lane], materials: Sequence[Material]) -> tuple[Track, ...]:
    """A track per lane, a unit per task and seed."""
    return tuple(
        Track(
            suffix=f"training-{lane.execution}-{lane.precision}",
            units=tuple(_unit(lane, material) for material in materials),
        )
        for lane in lanes
    )


def _unit(lane: Lane, material: Material) -> Unit:
    task, seed, name = material.task, material.seed, lane.arm.name

    def do(crew: Crew, sink: Sink) -> None:
        status: Status
        try:
            training = _train(crew, lane, material)
        except (*FAILURES, Diverged) as error:
            crew.lose(lane)
            status = status_of(error)
            sink.emit(
                FailureRecord,
                stage="accuracy",
                status=status,
                reason=str(error),
                task=task.name,
                backend=name,
                execution=lane.execution,
            )
        else:
            sink.emit(AccuracyRecord, training=training)

    return Unit(
        name=f"accuracy/{task.name}/{name}/{lane.execution}/{lane.precision}/{seed}",
        what=f"training {task.name} for {task.epochs} epochs, {name} {lane.execution}, seed {seed}",
        cost_seconds=COST_SECONDS,
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
            raise Diverged(f"the loss of {task.name} is not finite at step {step + 1}")
        seen = worker.call("evaluate", task=task.name, split="validation")
        validation.append(seen["correct"] / seen["samples"])
    tested = worker.call("evaluate", task=task.name, split="test")
    worker.call("drop", task=task.name)
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
