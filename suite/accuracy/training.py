"""Training to the end by the task's recipe: loss and validation curves, test scores."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Literal

from suite.accuracy.checkpoint import Checkpoint, Progress
from suite.accuracy.metrics import macro_f1
from suite.analysis.scores import BIT
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
# Of a loss, from that of the same program at the same parameters: PyTorch's rnn-tiny was 0 apart.
APART = 0.01


def groups(
    configurations: Sequence[Configuration],
    seeded: Sequence[Sequence[TaskInputs]],
    folder: Path,
    one_ulp: bool,
) -> tuple[JobGroup, ...]:
    """A job group per configuration and task, longest first so that none is left over at the end; a
    job per seed. ``one_ulp``: the first configuration also trains from the first seed's start moved
    by one ulp. What rounding grows to is a matter of the function, which is the same in the other
    configurations: a training of every small task in each of three would take a standard run 11
    minutes more. ``seeded`` are the inputs of each task's seeds; checkpoints lie in ``folder``.
    """
    found = []
    for of_task in seeded:
        for configuration in configurations:
            starts: list[tuple[TaskInputs, Start]] = [(each, "stored") for each in of_task]
            if one_ulp and configuration is configurations[0]:
                starts.append((of_task[0], "one ulp"))
            todo = [
                TrainingJob(configuration, each, start, folder, first=each is of_task[0])
                for each, start in starts
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
    return Checkpoint(folder, _where(configuration, task_inputs, start).replace("/", "-"))


def _where(configuration: Configuration, task_inputs: TaskInputs, start: Start) -> str:
    """What tells a training from the others of a run."""
    of, ending = configuration, "" if start == "stored" else "-one-ulp"
    names = (task_inputs.task.name, of.backend, of.execution, of.precision, task_inputs.seed)
    return "/".join(map(str, names)) + ending


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
        task, of = self.task_inputs.task, self.configuration
        words = "" if self.start == "stored" else ", moved by one ulp"
        return Job(
            id=f"accuracy/{_where(of, self.task_inputs, self.start)}",
            label=f"training {task.name} for {task.epochs} epochs, {of.backend} {of.execution}, "
            f"seed {self.task_inputs.seed}{words}",
            cost_seconds=estimate.training(task),
            run=self._run,
        )

    def _run(self, pool: WorkerPool, sink: Sink) -> None:
        task = self.task_inputs.task.name
        with sink.failures("accuracy", pool, self.configuration, task=task):
            sink.emit(AccuracyRecord, training=self._train(pool))

    def _train(self, pool: WorkerPool) -> Training:
        initial, ulp = self.task_inputs.initial, self.start == "one ulp"
        seed = self.task_inputs.seed
        with moved(initial, seed, "float32") if ulp else nullcontext(initial) as start:
            return self._train_from(start, pool)

    def _train_from(self, initial: str, pool: WorkerPool) -> Training:
        task_inputs, task = self.task_inputs, self.task_inputs.task
        per_epoch = task_inputs.steps_per_epoch
        files = checkpoint(self.folder, self.configuration, task_inputs, self.start)
        files.prepare()
        done = files.read()
        program = pool.program(self.configuration, task_inputs, initial)
        begun = _evaluate(program, "test", 0) if task.weights is not None else None
        if done.epochs:
            program.restore(str(files.state(done.epochs)))
            done.resumed_after.append(done.epochs)
        for epoch in range(done.epochs, task.epochs):
            part = program.train(epoch * per_epoch, (epoch + 1) * per_epoch)
            if bad := [n for n, loss in enumerate(part.losses) if not isfinite(loss)]:
                step = len(done.losses) + bad[0] + 1
                raise Unusable(f"the loss of {task.name} is not finite at step {step}")
            done.losses += part.losses
            done.epoch_seconds.append(part.seconds)
            seen = _evaluate(program, "validation", len(done.losses))
            done.validation_accuracies.append(seen.correct / seen.samples)
            done.validation_losses.append(seen.loss)
            if seen.error_rate is not None:
                done.validation_error_rates.append(seen.error_rate)
            program.state(str(files.state(done.epochs)))
            files.write(done)
        tested = _evaluate(program, "test", len(done.losses))
        program.parameters(str(files.final))
        anew = pool.program(self.configuration, task_inputs, str(files.final))
        _same(tested, _evaluate(anew, "test", len(done.losses)))
        repeats = None
        if self.first:  # does the first epoch give the same losses once more, bit for bit?
            again = pool.program(self.configuration, task_inputs, initial).train(0, per_epoch)
            repeats = again.losses == done.losses[:per_epoch]
        files.finish(done)
        return self._record(done, begun, tested, repeats)

    def _record(
        self,
        done: Progress,
        begun: Evaluation | None,
        tested: Evaluation,
        repeats: bool | None,
    ) -> Training:
        task = self.task_inputs.task
        reached = _reached(done.validation_accuracies, task.target_accuracy)
        accuracy = tested.correct / tested.samples
        return Training(
            task=task.name,
            **self.configuration.named,
            seed=self.task_inputs.seed,
            epochs=task.epochs,
            steps=len(done.losses),
            batch_size=task.batch_size,
            seconds=sum(done.epoch_seconds),
            **asdict(done),
            test_accuracy=accuracy,
            test_loss=tested.loss,
            test_correct=tested.correct,
            test_samples=tested.samples,
            data_hash=self.task_inputs.data_hash,
            start=self.start,
            test_macro_f1=macro_f1(tested.confusion) if tested.confusion else None,
            target=task.target_accuracy,
            steps_to_target=None if reached is None else reached * self.task_inputs.steps_per_epoch,
            seconds_to_target=None if reached is None else sum(done.epoch_seconds[:reached]),
            repeats=repeats,
            score=task.score,
            bits_per_byte=tested.loss / BIT if task.score == "bits_per_byte" else None,
            token_accuracy=accuracy if task.score == "token_accuracy" else None,
            sequence_accuracy=tested.sequence_accuracy if task.score == "token_accuracy" else None,
            error_rate=tested.error_rate,
            weights_accuracy=None if begun is None else begun.correct / begun.samples,
            weights_loss=None if begun is None else begun.loss,
        )


def _reached(accuracies: Sequence[float], target: float | None) -> int | None:
    """After how many epochs the target was reached first."""
    if target is None:
        return None
    return next((n + 1 for n, accuracy in enumerate(accuracies) if accuracy >= target), None)


def _same(trained: Evaluation, anew: Evaluation) -> None:
    """Unusable if a program's evaluation after its training is not what its parameters give."""
    if abs(trained.loss - anew.loss) > APART * anew.loss:
        raise Unusable(
            f"after the training {trained.correct} of {trained.samples} test samples are right and "
            f"the loss is {trained.loss:.4g}; from its parameters {anew.correct} are, and the loss "
            f"is {anew.loss:.4g}"
        )


def _evaluate(program: Program, split: str, steps: int) -> Evaluation:
    """The split's; Unusable if the loss or a logit is not finite, or if it changes the training."""
    found = program.evaluate(split)
    if found.changed:
        raise Unusable(f"to predict changes the state of {program.name} in its training")
    if not isfinite(found.loss):
        why = f"the {split} loss or a logit of {program.name} is not finite after {steps} steps"
        raise Unusable(why)
    return found
