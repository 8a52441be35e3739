"""The questions, asked of one program after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from suite import cost
from suite.crew import Crew
from suite.material import Material
from suite.parity import drills, function, precision, sizes, training
from suite.parity.attempt import Attempt
from suite.parity.ensemble import UNITS
from suite.parity.findings import discard
from suite.parity.inquiry import Inquiry
from suite.parity.reference import Reference, ReferenceFailed, ReferenceLacks
from suite.plan import PHASES, Lane
from suite.store.schema import FailureRecord, ParityRecord, ParityResult, Question
from suite.work import FAILURES, Sink, Track, Unit, status_of
from suite.worker.environment import less_precise

EXACT = "float64"  # what the function is asked in
PRECISIONS = (EXACT, *UNITS)
USUAL = (EXACT, "float32")  # a port of one's own need not know bfloat16


def parity_lanes(lanes: Sequence[Lane]) -> list[Lane]:
    """Each lane as the questions need it: in float64, and in its own precision."""
    asked: dict[tuple[str, str, str], Lane] = {}
    for lane in lanes:
        for each in (EXACT, lane.precision):
            if each in PRECISIONS and not lane.twin:
                key = (lane.arm.name, lane.execution, each)
                asked.setdefault(key, replace(lane, precision=each))
    return list(asked.values())


def tracks(
    lanes: Sequence[Lane],
    materials: Sequence[Material],
    references: Sequence[Reference],
    files: Path,
    thorough: bool = False,
) -> tuple[Track, ...]:
    """A track per program and part of the tasks, of which there is one per reference; a unit per
    task and seed. ``thorough`` looks beyond the task's own data and recipe, at every layer alone
    and at the drills, and asks for the training.

    Every second program takes the tasks from the last to the first, so that two do not wait for the
    same answers of the reference (of all seven tasks, 100 s), and a backend's executions start one
    after the other, so that the slowest framework's do not come last together. Several parts begin
    with the largest tasks.
    """
    programs: dict[tuple[str, str], list[Lane]] = {}
    for lane in sorted(lanes, key=lambda lane: PRECISIONS.index(lane.precision)):
        programs.setdefault((lane.arm.name, lane.execution), []).append(lane)
    arms = [arm for arm, _ in programs]
    turns = {key: arms[:number].count(key[0]) for number, key in enumerate(programs)}
    in_turn = sorted(programs, key=lambda key: turns[key])
    parts = _divided(materials, len(references))
    return tuple(
        Track(
            suffix=f"parity-{execution}{f'-{part}' if part else ''}",
            units=_Program(
                programs[arm, execution],
                references[part],
                files / f"{arm}-{execution}-{part}",  # drills are named by the lane alone
                thorough,
            ).units(of_part[:: -1 if number % 2 else 1]),
        )
        for part, of_part in enumerate(parts)
        for number, (arm, execution) in enumerate(in_turn)
    )


def _divided(materials: Sequence[Material], parts: int) -> list[list[Material]]:
    """By their tasks, the largest first, in turns."""
    if parts == 1:
        return [list(materials)]
    operations = {m.task.name: m.task.model.flops() * m.task.batch_size for m in materials}
    names = sorted(operations, key=lambda name: -operations[name])
    found = [[m for m in materials if m.task.name in names[part::parts]] for part in range(parts)]
    return [of_part for of_part in found if of_part]


class _Program:
    """A backend in one execution, in the precisions that are asked about."""

    def __init__(
        self, lanes: Sequence[Lane], reference: Reference, files: Path, thorough: bool
    ) -> None:
        self.lanes, self.reference, self.files, self.thorough = lanes, reference, files, thorough
        self.drilled: dict[tuple[str, ...], drills.Answers] = {}  # by precision and drills

    def units(self, materials: Sequence[Material]) -> tuple[Unit, ...]:
        """In the order of the materials, seeds of a task following each other."""
        before = [None, *(material.task for material in materials)]
        return tuple(
            self._unit(material, material.task == last)
            for material, last in zip(materials, before, strict=False)
        )

    def _unit(self, material: Material, built: bool) -> Unit:
        task, lane = material.task, self.lanes[0]

        def do(crew: Crew, sink: Sink) -> None:
            self.files.mkdir(parents=True, exist_ok=True)
            for answer in self._answers(crew, material):
                sink.emit(ParityRecord, result=answer)
                if answer.verdict == "failed":
                    sink.emit(
                        FailureRecord,
                        stage="parity",
                        status="failed",
                        reason=answer.reason or "",
                        task=task.name,
                        backend=lane.arm.name,
                        execution=lane.execution,
                        precision=answer.precision,
                    )
            for each in self.lanes:
                discard(each, material, self.files)

        return Unit(
            name=f"parity/{task.name}/{material.seed}/{lane.arm.name}/{lane.execution}",
            what=f"parity of {task.name}, {lane.arm.name} {lane.execution}",
            cost_seconds=sum(cost.parity(task, each, self.thorough, built) for each in self.lanes),
            do=do,
        )

    def _answers(self, crew: Crew, material: Material) -> Iterator[ParityResult]:
        """Of each question; one alone where the reference has nothing to compare with."""

        def inquiry(lane: Lane) -> Inquiry:
            return Inquiry(
                crew=crew,
                lane=lane,
                material=material,
                reference=self.reference,
                files=self.files,
            )

        exact = inquiry(replace(self.lanes[0], precision=EXACT))
        try:
            yield from self._asked(exact, inquiry)
        except ReferenceLacks as error:
            why = f"the reference: {error}; parity needs it in backends/numpy (see CONTRIBUTING.md)"
            yield exact.result("function", verdict="not_supported", reason=why)

    def _asked(self, exact: Inquiry, inquiry: Callable[[Lane], Inquiry]) -> Iterator[ParityResult]:
        @cache
        def of_function() -> ParityResult:
            asked = drills.of(exact.material.task)
            drilled = partial(self._drilled, exact, asked) if self.thorough else None
            return _answer(exact, "function", partial(function.ask, exact, drilled))

        for lane in self.lanes:
            if lane.precision == EXACT:
                yield of_function()
                continue
            own = inquiry(lane)
            drilled = partial(self._drilled, own, drills.PRECISE) if self.thorough else None
            ask = partial(precision.ask, own, lambda: of_function().verdict, drilled)
            answer = _answer(own, "precision", ask)
            yield answer
            judged = answer.verdict in ("same", "different", "precision_loss")
            if self.thorough and judged:  # a run asks the workers that time
                for phase in PHASES:
                    timed = Attempt(phase=phase, size=own.material.task.timed_batch_size)
                    answer = _answer(own, "function", partial(sizes.ask, own, timed))
                    yield answer.model_copy(update={"phase": phase, "batch_size": timed.size})
            # In bfloat16 rounding makes another training of it with the first step.
            if self.thorough and lane.precision == "float32":
                yield _answer(own, "training", partial(training.ask, own))

    def _drilled(self, inquiry: Inquiry, asked: Mapping[str, drills.Drill]) -> drills.Answers:
        lane = inquiry.lane
        key = (lane.precision, *asked)
        if key not in self.drilled:
            self.drilled[key] = drills.answers(inquiry.crew, lane, inquiry.files, asked)
        return self.drilled[key]


def _answer(inquiry: Inquiry, question: Question, ask: Callable[[], ParityResult]) -> ParityResult:
    """The answer, or why there is none; a worker that failed is given up."""
    if inquiry.lane.refused is not None:
        status, reason = inquiry.lane.refused
        refused = "not_available" if status == "not_available" else "not_supported"
        return inquiry.result(question, verdict=refused, reason=reason)
    try:
        return _explained(inquiry, ask())
    except ReferenceLacks:
        raise  # no other question has an answer either
    except ReferenceFailed as error:
        return inquiry.result(question, verdict="failed", reason=f"the reference: {error}")
    except FAILURES as error:
        inquiry.crew.lose(inquiry.lane)
        return inquiry.result(question, verdict=status_of(error), reason=str(error))


def _explained(inquiry: Inquiry, answer: ParityResult) -> ParityResult:
    """The same with the variables of the user's that may be why numbers are less precise."""
    if answer.verdict not in ("precision_loss", "different"):
        return answer
    crew, device = inquiry.crew, inquiry.lane.device
    told = less_precise(device, crew.share, crew.roster.environment)
    if not told:
        return answer
    reason = f"{answer.reason}; set in this environment, and may be why: {told}"
    return answer.model_copy(update={"reason": reason})
