"""Checks of a program's state: saved, loaded, reset, and left alone by looking."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suite.engine.remote import Arrays, RemoteBackend, RemoteProgram
from suite.parity.conformance.checks import Broken, Errors, check, compare
from suite.parity.conformance.programs import PLAIN_ADAMW, WHOLE, Whole, linear, reals

HALF, WHOLE_WAY = 3, 6  # steps

STATEFUL = {
    "sgd": WHOLE["images"],
    "adamw": Whole(linear("adamw", PLAIN_ADAMW), reals((5,))),
}


@check("load_state", STATEFUL)
def what_is_loaded_is_there(
    adapter: RemoteBackend, reference: RemoteBackend, case: Whole
) -> Errors:
    """A new program that loads a state has it: parameters, buffers, moments, step."""
    program = adapter.program(case.task, case.batch)
    program.train(0, HALF)
    saved = program.state()
    fresh = adapter.build(case.task, case.batch)
    fresh.restore(saved)
    _expect_same("load_state", saved, fresh.state())
    return {}


@check("continue", STATEFUL)
def training_continues(adapter: RemoteBackend, reference: RemoteBackend, case: Whole) -> Errors:
    """Training on from a loaded state is training without a stop."""
    program = adapter.program(case.task, case.batch)
    program.train(0, HALF)
    saved = program.state()
    wanted = program.train(HALF, WHOLE_WAY) | program.state()
    fresh = adapter.build(case.task, case.batch)
    fresh.restore(saved)
    return compare(fresh.train(HALF, WHOLE_WAY) | fresh.state(), wanted)


@check("reset", STATEFUL)
def a_state_without_moments_is_a_start(
    adapter: RemoteBackend, reference: RemoteBackend, case: Whole
) -> Errors:
    """Loading it sets moments and step to 0, and training repeats."""
    program = adapter.build(case.task, case.batch)
    start = program.state()
    wanted = program.train(0, HALF)
    program.reset()
    _expect_same("a State without moments", start, program.state())
    for name, array in start.items():
        if name.startswith(("moments/", "step")) and array.any():
            raise Broken(f"{name} is not 0 at the start")
    return compare(program.train(0, HALF), wanted)


@check("predict", WHOLE)
def predict_changes_nothing(
    adapter: RemoteBackend, reference: RemoteBackend, case: Whole
) -> Errors:
    """Not parameters, buffers, moments or step."""
    return _looking("predict", adapter, case, RemoteProgram.predict)


@check("capture", WHOLE)
def capture_changes_nothing(
    adapter: RemoteBackend, reference: RemoteBackend, case: Whole
) -> Errors:
    """Not parameters, buffers, moments or step. (The worker predicts too when it captures.)"""
    return _looking("capture", adapter, case, RemoteProgram.capture)


def _looking(
    what: str, adapter: RemoteBackend, case: Whole, look: Callable[[RemoteProgram], Arrays]
) -> Errors:
    program = adapter.program(case.task, case.batch)
    program.train(0, 1)
    before = program.state()
    look(program)
    _expect_same(what, before, program.state())
    return {}


def _expect_same(what: str, before: Arrays, after: Arrays) -> None:
    """Raise Broken unless two states are equal to the last bit."""
    if before.keys() != after.keys():
        names = ", ".join(sorted(before.keys() ^ after.keys()))
        raise Broken(f"after {what} the state has not the same arrays: {names}")
    changed = [name for name in before if not np.array_equal(before[name], after[name])]
    if changed:
        raise Broken(f"after {what} there is another {', '.join(changed)}")
