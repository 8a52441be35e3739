"""Everything that an adapter owes, of ours in their real workers; see suite/parity/conformance."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from suite.engine.progress import Reporter
from suite.parity.conformance.checks import CHECKS, EXACT, ROUNDED
from suite.parity.conformance.run import conform, pick
from suite.plan.configurations import Configuration, reference_configuration
from tests.conftest import COMPILED

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
    for precision in EXACT
    # Where there are two executions, one shows the rounding.
    if precision == "float64" or execution == executions[0]
]


@pytest.fixture(scope="module", autouse=True)
def kept_apart():
    """What is compiled here: test_parity counts what parity keeps, and may be at work meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(COMPILED / "conformance"))
        yield


@pytest.fixture(scope="module")
def answers(real_installations, tmp_path_factory):
    folder = tmp_path_factory.mktemp("conformance")
    configurations = [
        Configuration(
            installation=real_installations[backend],
            execution=execution,
            precision=precision,
            device="cpu",
        )
        for backend, execution, precision in LANES
    ]
    reference = reference_configuration(list(real_installations.values()))
    return conform(configurations, reference, CHECKS, folder, folder / "logs", Reporter())


@pytest.mark.parametrize("asked", LANES, ids="-".join)
def test_an_adapter_does_what_it_owes(asked, answers):
    results = [r for r in answers if (r.backend, r.execution, r.precision) == asked]
    wrong = [asdict(result) for result in results if result.verdict != "pass"]
    assert not wrong
    owed = {(check.name, case) for check in CHECKS for case in check.cases}
    done = {(result.check, result.case) for result in results}
    left = {"training", "update", "apply_update"} if asked[2] == "float32" else {"wait"}
    left.add("offset")
    assert done == {(check, case) for check, case in owed if check not in left}


def test_in_bfloat16_layers_round_as_the_reference_does(real_installations, tmp_path):
    configurations = [
        Configuration(
            installation=real_installations[backend],
            execution=execution,
            precision=ROUNDED,
            device="cpu",
        )
        for backend, execution in (("torch", "eager"), ("jax", "compiled"), ("tensorflow", "eager"))
    ]
    cases = ("norm", "batch-norm", "mean-pool-8-2-2", "mean-ragged", "conv-8-k3-s1-p1")
    cases = (*cases, "add-images-3", "concat-channels-3", "conv-groups", "conv-steps-ragged")
    cases = (*cases, "mean-pool-8-3-2-p1-uncounted", "group-norm", "rms-norm", "silu")
    cases = (*cases, "class-token", "multiply-steps")
    checks = pick(("layer", "offset"), (*cases, "linear", "attention-ragged", "gru-long"))
    reference = reference_configuration(list(real_installations.values()))
    results = conform(configurations, reference, checks, tmp_path, tmp_path / "logs", Reporter())
    assert len(results) == len(configurations) * (2 * len((*cases, "linear")) + 2)
    assert not [asdict(result) for result in results if result.verdict != "pass"]
    norms = [result for result in results if result.case in ("norm", "batch-norm")]
    assert len(norms) == 4 * len(configurations)  # each case alone and off its centre
    for result in norms:  # normalization does not round on the way
        assert result.error < 5e-3, result
