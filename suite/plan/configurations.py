"""Configurations: a backend of an installation with an execution, a precision and a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backends.base import EXECUTIONS
from suite.plan.options import Choice, choose
from suite.records.schema import Status
from suite.worker.adapters import REFERENCE, Adapter
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


def configurations(
    choice: Choice,
    installations: Sequence[Installation],
    precision: str,
    executions: Sequence[str] = (),
    every: bool = False,
) -> list[Configuration]:
    """The chosen installations in the chosen executions; those that cannot be are among them,
    refused. Where none is chosen: each installation's default, or with ``every`` all that it has.
    """
    named = {
        installation.name: installation
        for installation in installations
        if installation.name != REFERENCE
    }
    wanted = choose("execution", choice.executions, EXECUTIONS) or list(executions)
    found = []
    for name in choose("backend", choice.backends or ("*",), named):
        installation = named[name]
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
    installation = next(
        installation for installation in installations if installation.name == REFERENCE
    )
    return Configuration(
        installation=installation, execution="eager", precision="float64", device="cpu"
    )


def _refusal(
    installation: Installation, execution: str, precision: str
) -> tuple[Status, str] | None:
    if installation.why is not None:
        return "not_available", installation.why
    adapter = installation.adapter
    if execution not in adapter.executions:
        only = ", ".join(adapter.executions)
        return "not_supported", f"{installation.name} has no {execution} execution, only {only}"
    if precision not in adapter.precisions:
        only = ", ".join(adapter.precisions)
        return (
            "not_supported",
            f"{installation.name} has no precision {precision} here, only {only}",
        )
    return None
