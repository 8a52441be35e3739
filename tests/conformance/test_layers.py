"""Everything that an adapter owes, of ours in their real workers; see suite/conformance."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from suite.conformance.checks import CHECKS, THRESHOLDS
from suite.conformance.run import conform
from suite.plan import Lane
from suite.progress import Reporter
from suite.runner import reference_lane

EXECUTIONS = {
    "numpy": ("eager",),
    "torch": ("eager", "compiled"),
    "jax": ("compiled",),
    "tensorflow": ("eager", "compiled"),
}
LANES = [
    (backend, execution, precision)
    for backend, executions in EXECUTIONS.items()
    for execution in executions
    for precision in THRESHOLDS
    # Where there are two executions, one shows the rounding.
    if precision == "float64" or execution == executions[0]
]


@pytest.fixture(scope="module")
def answers(real_arms, tmp_path_factory):
    folder = tmp_path_factory.mktemp("conformance")
    lanes = [
        Lane(arm=real_arms[backend], execution=execution, precision=precision, device="cpu")
        for backend, execution, precision in LANES
    ]
    reference = reference_lane(list(real_arms.values()))
    names = {check.name for check in CHECKS}
    return conform(lanes, reference, names, folder, folder / "logs", Reporter())


@pytest.mark.parametrize("asked", LANES, ids="-".join)
def test_an_adapter_does_what_it_owes(asked, answers):
    results = [r for r in answers if (r.backend, r.execution, r.precision) == asked]
    wrong = [asdict(result) for result in results if result.verdict != "pass"]
    assert not wrong
    owed = {(check.name, case) for check in CHECKS for case in check.cases}
    done = {(result.check, result.case) for result in results}
    left = {"training", "update", "apply_update"} if asked[2] == "float32" else {"wait"}
    assert done == {(check, case) for check, case in owed if check not in left}
