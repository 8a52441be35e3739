"""The page of a run with 100 cells: its size, and how soon its table answers."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import perf_counter

from suite.report.page import render
from suite.session import read
from tests.browser.conftest import Open
from tests.large_run import large_run

MOST_BYTES = 7_000_000
MOST_SECONDS = 10.0  # on an idle machine 2 are enough; tests may have company


def test_it_is_light_short_and_soon_usable(opened_file: Open, tmp_path: Path) -> None:
    run = large_run(tmp_path, id="20260314T150926Z-1a2b3c4d", created="2026-03-14T15:09:26+00:00")
    text = render(read(run))
    assert len(text.encode()) <= MOST_BYTES
    file = tmp_path / "page.html"
    file.write_text(text, "utf-8")
    opened_file("about:blank")  # the browser is there
    took = []
    for _ in range(3):
        began = perf_counter()
        page = opened_file(file.as_uri()).page
        page.locator("#cells [data-head=value]").click()
        page.locator("#cells th[aria-sort=ascending]").wait_for()
        took.append(perf_counter() - began)
        assert page.locator("#cells tbody tr").count() == 100
    assert median(took) <= MOST_SECONDS, took
    assert page.evaluate("document.documentElement.scrollHeight") < 6000
