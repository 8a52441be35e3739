"""The coordinator's typed end of a worker: each operation as a method, with the operation's own
parameters, result and docstring. All raise what Worker.call does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import signature
from typing import (
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from suite.worker import operations, timed, values, weights
from suite.worker.answers import Built
from suite.worker.process import Worker
from suite.worker.workshop import Workshop

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class Asked(Generic[Given, Answer]):
    """A method that asks ``owner.call`` for an operation; ``own`` are the parameters that it gets
    from its owner and the worker.
    """

    def __init__(self, operation: Callable[..., Answer], own: int) -> None:
        self.name, self.__doc__ = operation.__name__, operation.__doc__
        self.parameters = list(signature(operation).parameters)[own:]
        self.operation = operation

    def __get__(self, owner: Any, kind: type) -> Callable[Given, Answer]:
        def ask(*positional: Given.args, **named: Given.kwargs) -> Answer:
            arguments = dict(zip(self.parameters, positional, strict=False)) | named
            answer: Answer = _read(self.answer, owner.call(self.name, **arguments))
            return answer

        return ask

    @cached_property
    def answer(self) -> Any:
        """The type of what is answered."""
        return get_type_hints(self.operation)["return"]


def of_program(
    operation: Callable[Concatenate[Workshop, str, Given], Answer],
) -> Asked[Given, Answer]:
    """An operation about a task's program, as a method of Program."""
    return Asked(operation, 2)


def of_worker(operation: Callable[Concatenate[Workshop, Given], Answer]) -> Asked[Given, Answer]:
    """Another operation, as a method of Client."""
    return Asked(operation, 1)


def _read(kind: Any, value: Any) -> Any:
    """What JSON has as lists, as the named tuples that they were."""
    if isinstance(kind, type) and issubclass(kind, tuple):
        return kind(*value)
    inner = [each for each in get_args(kind) if isinstance(each, type) and issubclass(each, tuple)]
    if value is None or not inner:
        return value
    return [inner[0](*each) for each in value] if get_origin(kind) is list else inner[0](*value)


@dataclass(frozen=True)
class Program:
    """A program that a worker has built of an encoded task, by the task's name. Arrays travel in
    files.
    """

    worker: Worker
    name: str
    task: Any
    built: Built

    def call(self, do: str, **arguments: Any) -> Any:
        """Ask for an operation about the program."""
        return self.worker.call(do, task=self.name, **arguments)

    differences = of_program(operations.differences)
    facts = of_program(operations.facts)
    reset = of_program(operations.reset)
    load = of_program(operations.load)
    put = of_program(timed.put)
    block = of_program(timed.block)
    latencies = of_program(timed.latencies)
    waits = of_program(timed.waits)
    freshness = of_program(timed.freshness)
    steps_in_a_row = of_program(timed.steps_in_a_row)
    fed = of_program(timed.fed)
    peak = of_program(operations.peak)
    train = of_program(operations.train)
    evaluate = of_program(operations.evaluate)
    logits = of_program(operations.logits)
    predictions = of_program(values.predictions)
    capture = of_program(values.capture)
    attempt = of_program(values.attempt)
    layer = of_program(values.layer)
    update = of_program(values.update)
    parameters = of_program(values.parameters)
    state = of_program(values.state)
    restore = of_program(values.restore)
    drop = of_program(operations.drop)


@dataclass
class Client:
    """A worker with one backend, and the programs that it has built, by their tasks' names."""

    worker: Worker
    import_seconds: float = 0.0
    programs: dict[str, Program] = field(default_factory=dict)

    def call(self, do: str, **arguments: Any) -> Any:
        """Ask for an operation."""
        return self.worker.call(do, **arguments)

    copy = of_worker(operations.copy)
    arithmetic = of_worker(operations.arithmetic)
    read_weights = of_worker(weights.read_weights)
    write_weights = of_worker(weights.write_weights)

    def start(
        self, *, backend: str, device: str, precision: str, execution: str, timed: bool = False
    ) -> None:
        """Import the adapter and its framework, as users do if that is ``timed``, and set them
        up.
        """
        given = {"device": device, "precision": precision, "execution": execution, "timed": timed}
        self.import_seconds = self.call("start", backend=backend, **given)

    def build(self, name: str, task: Any, parameters: str, seed: int = 0) -> Program:
        """Build the encoded task's program at the parameters of this file, with random numbers of
        this seed; an older one of the name is dropped.
        """
        built = Built(*self.call("build", task=task, parameters=parameters, seed=seed))
        self.programs[name] = Program(self.worker, name, task, built)
        return self.programs[name]

    def drop(self, name: str) -> None:
        """Forget a program."""
        self.programs.pop(name).drop()

    def clear(self) -> None:
        """Forget all programs."""
        for name in [*self.programs]:
            self.drop(name)

    def survey(self, limit_seconds: float, **question: Any) -> Sequence[dict[str, Any]]:
        """Which adapters load in the interpreter (suite.worker.adapters.survey)."""
        found: Sequence[dict[str, Any]] = self.call(
            "survey", limit_seconds=limit_seconds, **question
        )
        return found
