"""When a result is called remembered from a call before."""

from __future__ import annotations

from types import SimpleNamespace

from suite.measure import repeats
from suite.measure.repeats import remembered
from suite.worker.answers import Freshness


def test_only_what_all_pairs_say_is_remembered():
    quick = Freshness(fresh=1e-3, repeated=1e-6, apart=None, bytes=1000)
    alike = quick._replace(repeated=0.9e-3)
    from_memory = quick._replace(repeated=0.5e-3, bytes=1_000_000)  # half a millisecond of it
    assert "1e+03 times less" in remembered([quick] * repeats.PAIRS)
    assert remembered([quick] * (repeats.PAIRS - 1) + [alike]) is None
    assert remembered([from_memory] * repeats.PAIRS) is None


def test_looking_ends_with_the_first_pair_that_is_alike():
    calls, alike = [], Freshness(fresh=1e-3, repeated=1e-3, apart=None, bytes=10)

    def freshness(size, steps, within_seconds):
        calls.append((size, steps))
        return alike

    assert repeats.look(SimpleNamespace(freshness=freshness), 4, 1e-3) == [alike]
    assert calls == [(4, 10)]
    assert repeats.look(SimpleNamespace(freshness=lambda *asked: None), 4, 1.0) == []
    assert remembered([]) is None
