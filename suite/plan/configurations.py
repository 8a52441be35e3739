"""Configurations: a backend of an installation with an execution, a precision and a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backends.base import EXECUTIONS
from suite.plan.options import Choice, UsageError, choose
from suite.records.schema import TWIN, Cell, Phase, Status
from suite.worker.adapters import Adapter
from suite.worker.frameworks import REFERENCE
from suite.worker.installations import Installation


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """An installation with execution, precision and device: what one worker process is for.
    ``refused`` has the status and reason of one that cannot be run at all; ``twin`` is of an A/A
    arm, which is only timed.
    """

    installation: Installation
    execution: str
    precision: str
    device: str
    refused: tuple[Status, str] | None = None
    twin: bool = False

    @property
    def backend(self) -> str:
        """The installation's name."""
        return self.installation.name

    @property
    def adapter(self) -> Adapter:
        """What the installation runs."""
        return self.installation.adapter

    @property
    def named(self) -> dict[str, str]:
        """The fields by which records name it."""
        return {
            "backend": self.backend,
            "execution": self.execution,
            "precision": self.precision,
            "device": self.device,
        }

    def cell(self, task: str, phase: Phase, size: int) -> Cell:
        """What is measured in it of a task, in batches of this size."""
        return Cell(task=task, phase=phase, batch_size=size, **self.named)

    def doubled(self) -> Configuration:
        """Its A/A arm: the same under another name."""
        name = f"{self.backend}{TWIN}"
        return replace(self, installation=replace(self.installation, name=name), twin=True)


def configurations(
    choice: Choice,
    installations: Sequence[Installation],
    *precisions: str,
    executions: Sequence[str] = (),
    every: bool = False,
) -> list[Configuration]:
    """The chosen installations in the chosen executions, in each of the precisions; those that
    cannot be are among them, refused. Where no execution is chosen: each installation's default, or
    with ``every`` all that it has.
    """
    named = {each.name: each for each in installations if each.name != REFERENCE}
    if REFERENCE in choice.backends:
        raise UsageError(
            f"no backend matches {REFERENCE!r}, which is the reference that all are compared with; "
            f"there are {', '.join(named)}"
        )
    chosen = [named[name] for name in choose("backend", choice.backends or ("*",), named)]
    wanted = choose("execution", choice.executions, EXECUTIONS) or executions
    found = []
    for precision in precisions:
        for installation in chosen:
            has = installation.adapter.executions
            for execution in wanted or (has if every else has[:1]) or ("default",):
                found.append(
                    Configuration(
                        installation=installation,
                        execution=execution,
                        precision=precision,
                        device=choice.device,
                        refused=_refusal(installation, execution, precision),
                    )
                )
    return found


def reference_configuration(installations: Sequence[Installation]) -> Configuration:
    """Where the reference runs."""
    installation = next(each for each in installations if each.name == REFERENCE)
    return Configuration(
        installation=installation, execution="eager", precision="float64", device="cpu"
    )


def _refusal(
    installation: Installation, execution: str, precision: str
) -> tuple[Status, str] | None:
    name, adapter = installation.name, installation.adapter
    if adapter.why is not None:
        return "not_available", adapter.why
    if execution not in adapter.executions:
        only = ", ".join(adapter.executions)
        return "not_supported", f"{name} has no {execution} execution, only {only}"
    if precision not in adapter.precisions:
        only = ", ".join(adapter.precisions)
        return "not_supported", f"{name} has no precision {precision} here, only {only}"
    return None
