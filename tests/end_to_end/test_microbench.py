"""Rows of ``nox -s microbench``, real frameworks: checked against the reference, not timed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from suite.worker.environment import environment
from tests.conftest import ROOT

# Parts of row names: without those that torch.compile makes, which takes half a minute.
ROWS = {
    "torch": {"lstm-fused ", "lstm-generic_eager", "max_pooling-eager"},
    "jax": {"lstm-", "max_pooling-"},
    "tensorflow": {"lstm-", "max_pooling-compiled"},
}


def call(python, *module):
    done = subprocess.run(
        [python, "-m", *module],
        cwd=ROOT,
        env=environment("cpu"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    file = tmp_path_factory.mktemp("microbench") / "reference.npz"
    call(sys.executable, "tests.studies.operators.reference", str(file))
    return str(file)


@pytest.mark.parametrize("framework", ROWS)
def test_rows_are_right(framework, reference):
    python = ROOT / ".nox" / framework / "bin" / "python"
    lines = call(python, "tests.studies.operators.rows", framework, reference, *ROWS[framework])
    for part in ROWS[framework]:
        assert sum(part in line and "forward" in line for line in lines) >= 2, lines
    skipped = [line for line in lines if "not supported" in line]
    assert len(skipped) == (framework == "jax"), lines
