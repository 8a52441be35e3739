"""When a result is called remembered from a call before."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from suite.measure import repeats
from suite.worker.answers import Freshness

ALIKE = Freshness(new=1e-3, repeated=0.95e-3, since=1.1e-3, apart=0.0, bytes=1000)
QUICK = ALIKE._replace(repeated=1e-6)
BEFOREHAND = ALIKE._replace(since=0.5e-3)


@pytest.mark.parametrize(
    ("looks", "words"),
    [
        ([QUICK] * repeats.LOOKS, "has met takes 1e+03 to 1e+03 times less"),
        ([BEFOREHAND] * repeats.LOOKS, "present parameters takes 2 to 2 times less"),
        ([QUICK] * 10 + [ALIKE] * 2, "has met takes 1.1 to 1e+03 times less"),
        ([QUICK] * 9 + [ALIKE] * 3, None),
        ([QUICK] * 11, None),
        ([QUICK, BEFOREHAND] * 6, None),
        ([ALIKE._replace(repeated=0.5e-3, bytes=1_000_000)] * repeats.LOOKS, None),  # read anew
        ([ALIKE._replace(since=None)] * repeats.LOOKS, None),
        ([], None),
    ],
)
def test_only_what_all_looks_say_counts(looks, words):
    found = repeats.fault(looks)
    assert found is None if words is None else words in found


@pytest.mark.parametrize(
    ("step_seconds", "steps", "looks"), [(1e-3, 10, 4), (0.04, 2, 4), (0.06, 2, 3), (0.5, 2, 2)]
)
def test_looking_ends_when_too_many_looks_show_nothing(step_seconds, steps, looks):
    """One where a step is long."""
    calls, answers = [], iter([QUICK, ALIKE, ALIKE, BEFOREHAND, ALIKE])

    def freshness(phase, size, steps, within_seconds):
        calls.append((phase, size, steps))
        return next(answers)

    found = repeats.look(SimpleNamespace(freshness=freshness), "infer", 4, step_seconds)
    assert len(found) == looks
    assert calls == [("infer", 4, steps)] * looks


def test_looking_ends_where_batches_cannot_be_had():
    assert repeats.look(SimpleNamespace(freshness=lambda *asked: None), "train", 4, 0.0) == []
