"""A slowdown of 10 % as a second arm of a run is reported, and one that is not there is not."""

from __future__ import annotations

from suite.report.page.page import render
from suite.report.terminal.tables import markdown
from suite.run import session
from tests.fixtures.large_run import large_run

ARMS = (("torch", "eager"), ("torch@new", "eager"))
WHEN = "2026-03-14T15:09:26+00:00"
RUNS, CELLS = 20, 8


def verdicts(tmp_path, factor: float) -> list[set[str | None]]:
    """Of each run, what its comparisons are called."""
    found = []
    for seed in range(RUNS):
        path = large_run(
            tmp_path,
            id=f"r{seed}-{factor:g}".replace(".", "-"),
            created=WHEN,
            cells=CELLS,
            arms=ARMS,
            seed=seed,
            factor=lambda cell: factor if cell.backend == "torch@new" else 1.0,
        )
        comparisons = session.read(path).summary.comparisons
        assert len(comparisons) == CELLS // 2
        found.append({comparison.verdict for comparison in comparisons})
    return found


def test_ten_percent_are_slower(tmp_path):
    found = verdicts(tmp_path, 1.1)
    assert sum("SLOWER" in each for each in found) == RUNS
    assert not any("FASTER" in each for each in found)


def test_identical_arms_are_called_slower_in_at_most_one_of_twenty_runs(tmp_path):
    found = verdicts(tmp_path, 1.0)
    assert sum("SLOWER" in each for each in found) <= RUNS // 20


def test_the_report_says_it(tmp_path):
    path = large_run(
        tmp_path,
        id="r",
        created=WHEN,
        cells=CELLS,
        arms=ARMS,
        factor=lambda cell: 1.1 if cell.backend == "torch@new" else 1.0,
    )
    run = session.read(path)
    assert "torch@new is slower than torch" in render(run, "plotly.js")
    assert "SLOWER" in markdown(run.summary)
