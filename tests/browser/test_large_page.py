"""The page of a run with 100 cells: its size. How soon it answers stands in tests/slow."""

from __future__ import annotations

from pathlib import Path

from suite.report.page.page import render
from suite.run.session import read
from tests.browser.conftest import Open
from tests.fixtures.large_run import large_run

MOST_BYTES, MOST_PIXELS = 7_000_000, 6000


def test_it_is_light_and_short(opened_file: Open, tmp_path: Path) -> None:
    run = large_run(tmp_path, id="20260314T150926Z-1a2b3c4d", created="2026-03-14T15:09:26+00:00")
    text = render(read(run))
    assert len(text.encode()) <= MOST_BYTES
    file = tmp_path / "page.html"
    file.write_text(text, "utf-8")
    page = opened_file(file.as_uri()).page
    page.locator("#cells [data-head=value]").click()
    page.locator("#cells th[aria-sort=ascending]").wait_for()
    assert page.locator("#cells tbody tr").count() == 100
    assert page.evaluate("document.documentElement.scrollHeight") < MOST_PIXELS
