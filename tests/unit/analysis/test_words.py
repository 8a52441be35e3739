"""Numbers, ratios and intervals as they are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.analysis import words
from suite.records.schema import (
    ComparisonSummary,
    Interval,
    Training,
)
from tests.fixtures.sample_run import sample_run
from tests.fixtures.summaries import compared


@pytest.mark.parametrize(
    ("share", "text"), [(None, "n/a"), (0.456, "46 %"), (0.0456, "4.6 %"), (1.02, "102 %")]
)
def test_shares_read_well(share, text):
    assert words.share(share) == text


def ratio_of(launches: list[float], low: float, high: float) -> ComparisonSummary:
    """Of launches whose typical ratio is 2."""
    told = {"ratio": 2.0, "low": low, "high": high, "launches": len(launches)}
    return compared("a", "b", "SLOWER").model_copy(update=told | {"launch_ratios": launches})


class TestWords:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (1.735, "1.74"),
            (0.0049, "0.0049"),
            (0.004, "0.0040"),
            (0.000052, "0.000052"),
            (5.2e-9, "5.2e-09"),
            (2846.4, "2,846"),
            (5.2e22, "5.2e+22"),
        ],
    )
    def test_a_small_ratio_has_two_significant_digits(self, value: float, text: str) -> None:
        assert words.factor(value) == text

    @pytest.mark.parametrize(
        ("launches", "low", "high", "text"),
        [
            ([2.0, 2.0, 2.0], 1.9, 2.1, "2.00 (1.90 to 2.10)"),
            ([2.0, 2.0, 2.0], 0.7, 5.9, "2.00 (0.70 to 5.90)"),
            ([0.1, 2.0, 19.0], 0.6, 6.1, "2.00 (not determined: launches differ 190-fold)"),
            ([1.3, 2.0, 2.7], 0.6, 6.1, "2.00 (not determined: launches differ 2.1-fold)"),
            ([2.02, 1.98], 1.9, 2.1, "1.98 and 2.02"),
            ([2.0], 1.9, 2.1, "2.00 (1.90 to 2.10)"),
            ([2.0], 0.1, 40, "2.00 (not determined)"),
        ],
    )
    def test_an_interval_stands_where_it_determines_something(
        self, launches: list[float], low: float, high: float, text: str
    ) -> None:
        assert words.ratio(ratio_of(launches, low, high)) == text

    def test_nothing_is_known_beyond_a_thousand_percent(self) -> None:
        assert words.times(Interval(value=2, low=0.2, high=20)) == "2.00 (0.20 to 20.00)"
        assert words.times(Interval(value=2, low=0.2, high=23)) == "2.00 (not known)"
        assert words.times(Interval(value=2, low=0.1, high=3)) == "2.00 (not known)"
        assert words.half_width(9.9) == "±990 %"
        assert words.half_width(5e20) == "not known"

    @pytest.mark.parametrize(
        ("value", "text"),
        [(None, "n/a"), (0, "0"), (12345.6, "12,346"), (45.67, "45.7"), (1.234, "1.23")],
    )
    def test_number(self, value: float | None, text: str) -> None:
        assert words.number(value) == text

    def test_memory_that_is_not_available_is_never_zero(self) -> None:
        assert words.mebibytes(None) == "n/a"
        assert words.mebibytes(3 * 2**20) == "3.00"

    def test_relative_half_width_is_that_of_the_larger_side(self) -> None:
        assert words.relative_half_width(Interval(value=2, low=1.9, high=2.4)) == pytest.approx(0.2)

    @pytest.mark.parametrize(
        ("correct", "low", "high"), [(0, 0, 0.0106), (346, 0.9359, 0.9767), (360, 0.9894, 1)]
    )
    def test_accuracy_interval_is_wilsons(self, correct: int, low: float, high: float) -> None:
        first: Training = sample_run(Path("run")).summary.trainings[0]
        training = first.model_copy(update={"test_correct": correct})
        found = words.accuracy_interval(training)
        assert (found.low, found.high) == pytest.approx((low, high), abs=2e-4)

    def test_few_launches_are_a_first_look(self) -> None:
        assert words.first_look(2) == "first look: 2 launches"
        assert words.first_look(3) == ""


@pytest.mark.parametrize(
    ("value", "limit", "told"),
    [
        (3.2e-4, 8.6e-8, ("3.2e-04", "8.6e-08")),
        (8.62e-8, 8.6e-8, ("8.62e-08", "8.60e-08")),
        (1e-9, 1e-9, ("1.0e-09", "1.0e-09")),
    ],
)
def test_an_error_and_its_threshold_are_told_apart(value, limit, told):
    assert words.apart(value, limit) == told
    assert words.error_and_threshold(value, limit) == told
    assert words.error_and_threshold(None, limit) == ("n/a", words.error(limit))
