"""Training to the end by the task's recipe: loss and validation curves, test accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Literal

from suite.accuracy.checkpoint import Checkpoint, Progress
from suite.accuracy.metrics import macro_f1
from suite.engine.inputs import TaskInputs
from suite.engine.job import Job, JobGroup, Sink, Unusable
from suite.engine.pool import WorkerPool
from suite.parity.ensemble import moved
from suite.plan import estimate
from suite.plan.configurations import Configuration
from suite.records.schema import AccuracyRecord, Training
from suite.worker.answers import Evaluation
from suite.worker.client import Program

Start = Literal["stored", "one ulp"]


def groups(
    configurations: Sequence[Configuration],
    seeded: Sequence[Sequence[TaskInputs]],
    folder: Path,
    one_ulp: bool = False,
) -> tuple[JobGroup, ...]:
    """A job group per configuration and task, longest first so that none is left over at the end; a
    job per seed. ``one_ulp``: the first configuration also trains from the first seed's start moved
    by one ulp. What rounding grows to is a matter of the function, which is the same in the other
    configurations: a training of every small task in each of three would take a standard run 11
    minutes more. ``seeded`` are the inputs of each task's seeds; checkpoints lie in ``folder``.
    """
    found = []
    for of_task in seeded:
        starts: list[tuple[TaskInputs, Start]] = [(each, "stored") for each in of_task]
        for configuration in configurations:
            again: list[tuple[TaskInputs, Start]] = []
            if one_ulp and configuration is configurations[0]:
                again = [(of_task[0], "one ulp")]
            todo = [
                TrainingJob(configuration, each, start, folder, first=each is of_task[0])
                for each, start in starts + again
            ]
            name = of_task[0].task.name
            found.append(
                JobGroup(
                    suffix=f"training-{name}-{configuration.execution}-{configuration.precision}",
                    jobs=tuple(each.job() for each in todo),
                )
            )
    return tuple(sorted(found, key=lambda group: -sum(job.cost_seconds for job in group.jobs)))


def checkpoint(
    folder: Path, configuration: Configuration, task_inputs: TaskInputs, start: Start = "stored"
) -> Checkpoint:
    """The files of a training."""
    of = configuration
    names = (task_inputs.task.name, of.backend, of.execution, of.precision, task_inputs.seed)
    ending = () if start == "stored" else ("one-ulp",)
    return Checkpoint(folder, "-".join(map(str, (*names, *ending))))


@dataclass(frozen=True)
class TrainingJob:
    """One training; that of the ``first`` seed also tells whether it repeats itself."""

    configuration: Configuration
    task_inputs: TaskInputs
    start: Start
    folder: Path
    first: bool

    def job(self) -> Job:
        """The work of it."""
        task, seed, of = self.task_inputs.task, self.task_inputs.seed, self.configuration
        ending, words = ("", "") if self.start == "stored" else ("-one-ulp", ", moved by one ulp")
        where = f"{task.name}/{of.backend}/{of.execution}/{of.precision}/{seed}{ending}"
        return Job(
            id=f"accuracy/{where}",
            label=f"training {task.name} for {task.epochs} epochs, {of.backend} {of.execution}, "
            f"seed {seed}{words}",
            cost_seconds=estimate.training(task),
            run=self._run,
        )

    def _run(self, pool: WorkerPool, sink: Sink) -> None:
        task = self.task_inputs.task.name
        with sink.failures("accuracy", pool, self.configuration, task=task):
            sink.emit(AccuracyRecord, training=self._train(pool))

    def _train(self, pool: WorkerPool) -> Training:
        task_inputs, task = self.task_inputs, self.task_inputs.task
        per_epoch = self._per_epoch
        files = checkpoint(self.folder, self.configuration, task_inputs, self.start)
        files.prepare()
        done = files.read()
        initial = task_inputs.initial
        if self.start == "one ulp":
            initial = moved(initial, task_inputs.seed, "float32")
        program = pool.program(self.configuration, task_inputs, initial)
        if done.epochs:
            program.restore(str(files.state(done.epochs)))
            done.resumed_after.append(done.epochs)
        for epoch in range(done.epochs, task.epochs):
            part = program.train(epoch * per_epoch, (epoch + 1) * per_epoch)
            self._check(part.losses, len(done.losses))
            done.losses += part.losses
            done.epoch_seconds.append(part.seconds)
            seen = _evaluate(program, "validation", len(done.losses))
            done.validation_accuracies.append(seen.correct / seen.samples)
            done.validation_losses.append(seen.loss)
            program.state(str(files.state(done.epochs)))
            files.write(done)
        tested = _evaluate(program, "test", len(done.losses))
        program.parameters(str(files.final))
        repeats = self._repeats(pool, initial, done) if self.first else None
        files.finish(done)
        return self._record(done, tested, repeats)

    def _check(self, losses: Sequence[float], before: int) -> None:
        if not all(map(isfinite, losses)):
            step = before + next(i for i, loss in enumerate(losses) if not isfinite(loss))
            raise Unusable(
                f"the loss of {self.task_inputs.task.name} is not finite at step {step + 1}"
            )

    def _repeats(self, pool: WorkerPool, initial: str, done: Progress) -> bool:
        """Does the first epoch give the same losses once more, bit for bit?"""
        program = pool.program(self.configuration, self.task_inputs, initial)
        again = program.train(0, self._per_epoch).losses
        return again == done.losses[: self._per_epoch]

    @property
    def _per_epoch(self) -> int:
        return self.task_inputs.steps_per_epoch

    def _record(self, done: Progress, tested: Evaluation, repeats: bool | None) -> Training:
        task = self.task_inputs.task
        reached = _reached(done.validation_accuracies, task.target_accuracy)
        return Training(
            task=task.name,
            backend=self.configuration.backend,
            execution=self.configuration.execution,
            precision=self.configuration.precision,
            device=self.configuration.device,
            seed=self.task_inputs.seed,
            epochs=task.epochs,
            steps=len(done.losses),
            batch_size=task.batch_size,
            seconds=sum(done.epoch_seconds),
            losses=done.losses,
            validation_accuracies=done.validation_accuracies,
            test_accuracy=tested.correct / tested.samples,
            test_loss=tested.loss,
            test_correct=tested.correct,
            test_samples=tested.samples,
            data_hash=self.task_inputs.data_hash,
            start=self.start,
            test_macro_f1=macro_f1(tested.confusion),
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


def _evaluate(program: Program, split: str, steps: int) -> Evaluation:
    """The split's; Unusable if the loss or a logit is not finite."""
    found = program.evaluate(split)
    if not isfinite(found.loss):
        why = f"the {split} loss or a logit of {program.name} is not finite after {steps} steps"
        raise Unusable(why)
    return found
