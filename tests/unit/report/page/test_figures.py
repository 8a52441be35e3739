"""The figures of a page have tables, and names in them are no markup."""

from __future__ import annotations

import json

from suite.records.run import Run
from suite.report.page.figures import figures


class TestFigures:
    def test_each_section_has_its_figures_and_their_tables(self, run: Run) -> None:
        found = figures(run)
        assert {name: len(section) for name, section in found.items()} == {
            "accuracy": 9,  # three of each task
            "parity": 3,
        }
        for section in found.values():
            for figure in section:
                assert {len(row) for row in figure.rows} == {len(figure.heads)}
                assert len(figure.arms) == len(figure.plot.data)  # what the filters go by

    def test_names_are_no_markup_for_plotly(self, hostile: Run) -> None:
        found = figures(hostile)
        assert {name: len(section) for name, section in found.items()} == {
            "accuracy": 9,
            "parity": 3,
        }
        for section in found.values():
            for figure in section:
                text = json.dumps(figure.plot.drawn()).replace("<br>", "")
                assert "<" not in text
