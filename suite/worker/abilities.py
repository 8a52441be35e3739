"""Which tasks an adapter can build here, asked without building any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends.base import EXECUTIONS, Backend, NotSupported
from suite.worker.errors import described, sentence
from tasks.codec import decode

Answer = tuple[str, str | None]  # ok, not_supported or not_available; why


def abilities(kind: type[Backend], device: str, tasks: Sequence[Any]) -> dict[str, list[Answer]]:
    """An answer for each encoded task, by execution. Whatever goes wrong is an answer too."""
    return {execution: _answers(kind, device, execution, tasks) for execution in EXECUTIONS}


def _answers(
    kind: type[Backend], device: str, execution: str, tasks: Sequence[Any]
) -> list[Answer]:
    try:
        backend = kind(device=device, execution=execution)
    except BaseException as error:
        return [_refusal(error)] * len(tasks)
    return [_answer(backend, task) for task in tasks]


def _answer(backend: Backend, task: Any) -> Answer:
    try:
        backend.check(decode(task))  # where the task's own package is not installed, it fails
    except BaseException as error:
        return _refusal(error)
    return "ok", None


def _refusal(error: BaseException) -> Answer:
    if isinstance(error, NotSupported):
        return "not_supported", described(error)[1]
    return "not_available", sentence(error)
