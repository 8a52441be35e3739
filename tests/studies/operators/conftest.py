"""Which framework, which device, and where the reference's answers are; ``nox -s microbench``
tells them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.studies.operators import rows


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    parser.addoption("--framework", required=True, help="torch, jax or tensorflow")
    parser.addoption("--device", default="cpu", help="cpu or cuda")
    parser.addoption("--reference", required=True, type=Path, help="what reference.py wrote")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each row and pass."""
    found = list(rows.rows(rows.framework(metafunc.config.option.framework)))
    metafunc.parametrize(
        "operator,way", found, ids=[f"{operator.name}-{way.name}" for operator, way in found]
    )
