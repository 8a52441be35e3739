"""Checks of how an adapter takes what it is given, refuses, and tells of itself."""

from __future__ import annotations

from dataclasses import replace

from backends.base import NotSupported
from suite.engine.remote import RemoteBackend
from suite.parity.conformance.cases import SAMPLES
from suite.parity.conformance.checks import Broken, Errors, check
from suite.parity.conformance.programs import PLAIN_SGD, WHOLE, Whole, linear, reals, task
from suite.parity.conformance.unknown import UnknownLayer, UnknownLoss, UnknownOptimizer
from tasks.base import Task

KNOWN = linear("unknown", PLAIN_SGD)
UNKNOWN = {
    "layer": task("unknown", (5,), (*KNOWN.model.layers, ("odd", UnknownLayer())), PLAIN_SGD),
    "loss": replace(KNOWN, loss=UnknownLoss()),  # type: ignore[arg-type]
    "optimizer": replace(KNOWN, optimizer=UnknownOptimizer(learning_rate=0.1)),
}


@check("put", {"reals": WHOLE["images"], "ids": WHOLE["padded"]})
def takes_what_data_sets_give(
    adapter: RemoteBackend, reference: RemoteBackend, case: Whole
) -> Errors:
    """``put`` takes float64 reals and int32 ids with valid steps, and ``wait`` returns."""
    program = adapter.program(case.task, case.batch)
    program.program.put(SAMPLES)
    return {}


@check("unknown", UNKNOWN)
def refuses_what_it_does_not_know(
    adapter: RemoteBackend, reference: RemoteBackend, case: Task
) -> Errors:
    """A type without a lowering or formula raises NotSupported, at the first step at the latest."""
    try:
        adapter.build(case, reals((5,))).train(0, 1)
    except NotSupported:
        return {}
    raise Broken("it was built and trained, where NotSupported was to be raised")


@check("facts", {"images": WHOLE["images"]})
def facts_are_strings(adapter: RemoteBackend, reference: RemoteBackend, case: Whole) -> Errors:
    """At least one, by name."""
    program = adapter.program(case.task, case.batch)
    facts = program.program.facts()
    if not facts or not isinstance(facts, dict):
        raise Broken(f"facts() tells nothing: {facts!r}")
    for name, value in facts.items():
        if not isinstance(value, str):
            raise Broken(f"facts()[{name!r}] is no string: {value!r}")
    return {}


@check("memory", {"images": WHOLE["images"]})
def memory_is_bytes_or_none(
    adapter: RemoteBackend, reference: RemoteBackend, case: Whole
) -> Errors:
    """A figure that the framework does not have is None, never 0."""
    program = adapter.program(case.task, case.batch)
    program.train(0, 1)
    peak = program.program.peak()
    for name in ("live", "reserved", "planned"):
        value = getattr(peak, name)
        if value is not None and (not isinstance(value, int) or value <= 0):
            raise Broken(f"memory().{name}_bytes is neither None nor positive: {value!r}")
    return {}
