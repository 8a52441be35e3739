"""Training to the end by the task's recipe: loss and validation curves, test accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from suite import cost
from suite.accuracy.checkpoint import Checkpoint, Progress
from suite.accuracy.metrics import macro_f1
from suite.crew import Crew
from suite.material import Material
from suite.parity.ensemble import moved
from suite.plan import Lane
from suite.store.schema import AccuracyRecord, FailureRecord, Training
from suite.work import FAILURES, Sink, Track, Unit, Unusable, status_of
from suite.worker.host import Worker

Start = Literal["stored", "one ulp"]


def tracks(
    lanes: Sequence[Lane],
    materials: Sequence[Sequence[Material]],
    folder: Path,
    nudged: bool = False,
) -> tuple[Track, ...]:
    """A track per lane and task, longest first so that none is left over at the end; a unit per
    seed. ``nudged``: the first lane also trains from the first seed's start moved by one ulp. What
    rounding grows to is a matter of the function, which is the same in the other lanes: a training
    of every small task in each of three would take a standard run 11 minutes more. ``materials``
    are those of each task's seeds; checkpoints lie in ``folder``.
    """
    found = []
    for seeded in materials:
        stored: list[tuple[Material, Start]] = [(material, "stored") for material in seeded]
        for lane in lanes:
            again: list[tuple[Material, Start]] = [(seeded[0], "one ulp")]
            starts = stored + again if nudged and lane is lanes[0] else stored
            todo = [Course(lane, m, start, folder, first=m is seeded[0]) for m, start in starts]
            found.append(
                Track(
                    suffix=f"training-{seeded[0].task.name}-{lane.execution}-{lane.precision}",
                    units=tuple(course.unit() for course in todo),
                )
            )
    return tuple(sorted(found, key=lambda track: -sum(unit.cost_seconds for unit in track.units)))


def checkpoint(folder: Path, lane: Lane, material: Material, start: Start = "stored") -> Checkpoint:
    """The files of a training."""
    names = (material.task.name, lane.arm.name, lane.execution, lane.precision, material.seed)
    nudged = () if start == "stored" else ("one-ulp",)
    return Checkpoint(folder, "-".join(map(str, (*names, *nudged))))


@dataclass(frozen=True)
class Course:
    """One training; that of the ``first`` seed also tells whether it repeats itself."""

    lane: Lane
    material: Material
    start: Start
    folder: Path
    first: bool

    def unit(self) -> Unit:
        """The work of it."""
        task, seed, lane = self.material.task, self.material.seed, self.lane
        nudged = "" if self.start == "stored" else "-one-ulp"
        where = f"{task.name}/{lane.arm.name}/{lane.execution}/{lane.precision}/{seed}{nudged}"
        moved = "" if self.start == "stored" else ", moved by one ulp"
        return Unit(
            name=f"accuracy/{where}",
            what=f"training {task.name} for {task.epochs} epochs, {lane.arm.name} "
            f"{lane.execution}, seed {seed}{moved}",
            cost_seconds=cost.training(task),
            do=self._do,
        )

    def _do(self, crew: Crew, sink: Sink) -> None:
        try:
            sink.emit(AccuracyRecord, training=self._train(crew))
        except FAILURES as error:
            crew.lose(self.lane)
            sink.emit(
                FailureRecord,
                stage="accuracy",
                status=status_of(error),
                reason=str(error),
                task=self.material.task.name,
                backend=self.lane.arm.name,
                execution=self.lane.execution,
                precision=self.lane.precision,
            )

    def _train(self, crew: Crew) -> Training:
        lane, material, task = self.lane, self.material, self.material.task
        files, per_epoch = checkpoint(self.folder, lane, material, self.start), self._per_epoch
        files.prepare()
        done = files.read()
        stored = self.start == "stored"
        initial = material.initial if stored else moved(material.initial, material.seed, "float32")
        crew.build(lane, material, initial)
        worker = crew.member(lane).worker
        if done.epochs:
            worker.call("restore", task=task.name, path=str(files.state(done.epochs)))
            done.resumed_after.append(done.epochs)
        for epoch in range(done.epochs, task.epochs):
            part = worker.call(
                "train", task=task.name, first=epoch * per_epoch, last=(epoch + 1) * per_epoch
            )
            self._check(part["losses"], len(done.losses))
            done.losses += part["losses"]
            done.epoch_seconds.append(part["seconds"])
            seen = _evaluate(worker, task.name, "validation", len(done.losses))
            done.validation_accuracies.append(seen["correct"] / seen["samples"])
            done.validation_losses.append(seen["loss"])
            worker.call("state", task=task.name, path=str(files.state(done.epochs)))
            files.write(done)
        tested = _evaluate(worker, task.name, "test", len(done.losses))
        worker.call("parameters", task=task.name, path=str(files.final))
        repeats = self._repeats(crew, initial, done) if self.first else None
        files.finish(done)
        return self._record(done, tested, repeats)

    def _check(self, losses: Sequence[float], before: int) -> None:
        if not all(map(isfinite, losses)):
            step = before + next(i for i, loss in enumerate(losses) if not isfinite(loss))
            raise Unusable(
                f"the loss of {self.material.task.name} is not finite at step {step + 1}"
            )

    def _repeats(self, crew: Crew, initial: str, done: Progress) -> bool:
        """Does the first epoch give the same losses once more, bit for bit?"""
        crew.build(self.lane, self.material, initial)
        again = crew.member(self.lane).worker.call(
            "train", task=self.material.task.name, first=0, last=self._per_epoch
        )
        return bool(again["losses"] == done.losses[: self._per_epoch])

    @property
    def _per_epoch(self) -> int:
        return self.material.steps_per_epoch

    def _record(self, done: Progress, tested: dict[str, Any], repeats: bool | None) -> Training:
        task = self.material.task
        reached = _reached(done.validation_accuracies, task.target_accuracy)
        return Training(
            task=task.name,
            backend=self.lane.arm.name,
            execution=self.lane.execution,
            precision=self.lane.precision,
            device=self.lane.device,
            seed=self.material.seed,
            epochs=task.epochs,
            steps=len(done.losses),
            batch_size=task.batch_size,
            seconds=sum(done.epoch_seconds),
            losses=done.losses,
            validation_accuracies=done.validation_accuracies,
            test_accuracy=tested["correct"] / tested["samples"],
            test_loss=tested["loss"],
            test_correct=tested["correct"],
            test_samples=tested["samples"],
            data_hash=self.material.data_hash,
            start=self.start,
            test_macro_f1=macro_f1(tested["confusion"]),
            validation_losses=done.validation_losses,
            epoch_seconds=done.epoch_seconds,
            target=task.target_accuracy,
            steps_to_target=None if reached is None else reached * self._per_epoch,
            seconds_to_target=None if reached is None else sum(done.epoch_seconds[:reached]),
            repeats=repeats,
            resumed_after=done.resumed_after,
        )


def _reached(accuracies: Sequence[float], target: float | None) -> int | None:
    """After how many epochs the target was reached first."""
    if target is None:
        return None
    return next((n + 1 for n, accuracy in enumerate(accuracies) if accuracy >= target), None)


def _evaluate(worker: Worker, task: str, split: str, steps: int) -> dict[str, Any]:
    """What ``evaluate`` answers; Unusable if the loss or a logit is not finite."""
    found: dict[str, Any] = worker.call("evaluate", task=task, split=split)
    if not isfinite(found["loss"]):
        why = f"the {split} loss or a logit of {task} is not finite after {steps} steps"
        raise Unusable(why)
    return found
