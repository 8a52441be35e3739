"""Into how many parts parity is divided."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from suite.plan import catalogue, estimate


@pytest.mark.parametrize(("cores", "gibibytes", "parts"), [(2, 64, 1), (16, 128, 8), (16, 16, 1)])
def test_parity_is_divided_where_there_are_many_cores_and_room(
    cores, gibibytes, parts, monkeypatch
):
    memory = SimpleNamespace(total=gibibytes << 30)
    monkeypatch.setattr(estimate, "threads", lambda: cores)
    monkeypatch.setattr(estimate.psutil, "virtual_memory", lambda: memory)
    assert estimate.parity_parts([]) == parts
    assert estimate.parity_at_once([]) == max(2, parts) + 1


def test_programs_of_real_size_are_asked_one_after_the_other(monkeypatch):
    monkeypatch.setattr(estimate, "threads", lambda: 64)
    tasks = catalogue.tasks()
    both = [tasks["cnn-tiny"], tasks["bert-base"]]
    assert estimate.parity_parts(both) == 1
    assert estimate.parity_share(both) == 1
    assert estimate.parity_at_once(both) == 1
