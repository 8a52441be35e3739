"""The comparison of two runs, printed and as a page, whatever its texts hold."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from suite.analysis.compare import compare
from suite.report.page.comparison import render_comparison
from suite.report.terminal.comparison import show_comparison
from tests.fixtures.changed_run import changed
from tests.fixtures.sample_run import hostile_run


def test_the_table_shows_what_there_is_and_nothing_acts(tmp_path):
    hostile = hostile_run(tmp_path)
    for other in (hostile, changed(hostile, 1.5), changed(hostile, 1.5, cpu="\x1b[31mred")):
        stream = StringIO()
        show_comparison(compare(hostile, other), Console(file=stream, width=160))
        assert "\x1b" not in stream.getvalue()
    assert "NOT COMPARABLE: the runs differ in cpu" in stream.getvalue()
    page = render_comparison(compare(hostile, changed(hostile, 1.5)))
    assert "<script>window" not in page
    assert "<img" not in page
