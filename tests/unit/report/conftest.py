"""The runs that the reports are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.records.run import Run
from tests.fixtures.sample_run import hostile_run, sample_run


@pytest.fixture(scope="session")
def run() -> Run:
    return sample_run(Path("run"))


@pytest.fixture(scope="session")
def hostile() -> Run:
    return hostile_run(Path("run"))
