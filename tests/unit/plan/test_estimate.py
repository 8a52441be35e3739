"""Into how many parts parity is divided."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from suite.plan import estimate


@pytest.mark.parametrize(("cores", "gibibytes", "parts"), [(2, 64, 1), (16, 128, 8), (16, 16, 1)])
def test_parity_is_divided_where_there_are_many_cores_and_room(
    cores, gibibytes, parts, monkeypatch
):
    memory = SimpleNamespace(total=gibibytes << 30)
    monkeypatch.setattr(estimate, "threads", lambda: cores)
    monkeypatch.setattr(estimate.psutil, "virtual_memory", lambda: memory)
    assert estimate.parity_parts([]) == parts
