"""What is said of a comparison in one line, and the tiers of its arms."""

from __future__ import annotations

from suite.records.run import Run
from suite.report.headlines import groups, tiers
from suite.report.page.styles import styles
from tests.fixtures.summaries import compared


def headline(run: Run, *pairs: tuple[str, str, float, str | None], status: str = "ok") -> str:
    """Of the sample's first comparison, with these: base, new, ratio, verdict."""
    cells = [c for c in run.summary.cells if (c.task, c.phase) == ("rnn-tiny", "train")]
    cells = [cell.model_copy(update={"status": status}) for cell in cells]
    comparisons = [
        compared(base, new, verdict).model_copy(update={"task": "rnn-tiny", "batch_size": 128})
        for base, new, _, verdict in pairs
    ]
    comparisons = [
        c.model_copy(update={"ratio": pair[2]}) for c, pair in zip(comparisons, pairs, strict=True)
    ]
    summary = run.summary.model_copy(update={"cells": cells, "comparisons": comparisons})
    (group,) = groups(summary)
    return group.headline


class TestHeadlines:
    def test_the_fastest_is_named_with_what_it_gains(self, run: Run) -> None:
        found = headline(
            run,
            ("torch", "jax", 1 / 4.2, "FASTER"),
            ("torch", "tensorflow", 0.7, "FASTER"),
            ("jax", "tensorflow", 2.8, "SLOWER"),
        )
        assert found == "jax is fastest: 2.8 times tensorflow, 4.2 times torch"

    def test_what_is_slower_comes_before_what_is_not_settled(self, run: Run) -> None:
        found = headline(
            run,
            ("torch", "jax", 0.5, "FASTER"),
            ("torch", "tensorflow", 0.4, "FASTER"),
            ("jax", "tensorflow", 0.8, "INCONCLUSIVE"),
        )
        assert found == (
            "torch is slower than both, 2.0 to 2.5 times as long; jax and tensorflow are not "
            "settled"
        )

    def test_bars_that_differ_are_not_called_alike(self, run: Run) -> None:
        pairs = [("torch", "jax", 0.02, "INCONCLUSIVE"), ("jax", "tensorflow", 1.1, "INCONCLUSIVE")]
        found = headline(run, *pairs)
        assert found == (
            "jax, tensorflow and torch are not settled, though torch was seen to take 50 times jax"
        )
        near = [("torch", "jax", 1.01, "INCONCLUSIVE"), ("jax", "tensorflow", 1, "INCONCLUSIVE")]
        assert headline(run, *near).endswith("are not settled, seen within 5 %")

    def test_what_was_disturbed_is_not_ranked(self, run: Run) -> None:
        pairs = [("torch", "jax", 0.5, "INCONCLUSIVE"), ("torch", "tensorflow", 1, "INCONCLUSIVE")]
        assert headline(run, *pairs, status="disturbed") == "No ranking: the machine was disturbed"


class TestFindings:
    def test_arms_that_are_told_apart_stand_in_tiers_of_their_own(self) -> None:
        pairs = [compared("a", "b", "SLOWER"), compared("a", "c", "SLOWER")]
        assert tiers(["a", "b", "c"], [*pairs, compared("c", "b", "FASTER")]) == {
            "a": 1,
            "b": 2,
            "c": 3,
        }

    def test_tied_means_tied(self) -> None:
        pairs = [
            compared("a", "b", "EQUIVALENT"),
            compared("b", "c", "INCONCLUSIVE"),
            compared("a", "c", "SLOWER"),
        ]
        assert tiers(["a", "b", "c"], pairs) == {"a": 1, "b": 1, "c": 2}

    def test_an_arm_without_a_verdict_has_no_tier(self) -> None:
        pairs = [compared("a", "b", None), compared("a", "c", "SLOWER")]
        assert tiers(["b", "a", "c"], pairs) == {"a": 1, "c": 2}

    def test_headlines(self, run: Run) -> None:
        found = {
            f"{group.task} {group.short_setting}": group.headline for group in groups(run.summary)
        }
        assert found["cnn-tiny train, batch 128"] == (
            "torch is fastest: 1.4 times tensorflow, 2.4 times jax compiled"
        )
        assert found["rnn-tiny train, batch 128"] == (
            "jax and tensorflow are equally fast, within 5 %; "
            "torch is slower than both, 1.8 times as long"
        )
        assert found["transformer-tiny infer, batch 128"] == (
            "torch and jax are not settled, though jax was seen to take 1.05 times torch"
        )

    def test_a_ratio_reads_the_same_from_both_sides(self, run: Run) -> None:
        group = groups(run.summary)[2]
        torch, jax = (next(arm for arm in group.arms if arm.name == n) for n in ("torch", "jax"))
        pair = next(c for c in group.comparisons if (c.base, c.new) == ("torch", "jax"))
        assert group.ratio(jax, torch) == pair.ratio
        assert group.ratio(torch, jax) == 1 / pair.ratio

    def test_executions_of_one_backend_have_names_of_their_own(self, run: Run) -> None:
        names = [arm.name for arm in groups(run.summary)[0].arms]
        assert names == ["torch", "tensorflow", "jax compiled", "jax eager", "torch@old"]

    def test_styles_are_distinct_and_fixed(self) -> None:
        found = styles([("mine", "compiled"), ("jax", "compiled"), ("torch", "eager")])
        assert len({(style.colour, style.symbol) for style in found.values()}) == 3
        assert found["jax", "compiled"] == styles([("jax", "compiled")])["jax", "compiled"]
