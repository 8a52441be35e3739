"""axe looks at every part of the pages, in light and in dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from suite.analysis.upgrade import upgraded
from suite.records.schema import BlockRecord
from suite.report.page.parity import render_parity
from suite.report.page.upgrade import render_upgrade
from tests.browser.axe import faults
from tests.browser.conftest import Open
from tests.fixtures.sample_parity import DERIVED, every_verdict
from tests.fixtures.sample_run import sample_run
from tests.fixtures.upgraded_run import UPGRADE, copied, upgraded_run


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_and_a_cell_in_depth(opened: Open, scheme: str) -> None:
    page = opened(sample_run(Path("run")), scheme=scheme).page
    tabs = page.get_by_role("tab").all()
    assert len(tabs) > 1
    for tab in tabs:
        tab.click()
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        page.locator("[role=tabpanel]:not([hidden]) .plot").evaluate_all("all => all.forEach(draw)")
        assert faults(page) == [], tab.text_content()
    page.get_by_role("tab").first.click()
    page.locator("#cells .open").first.click()
    page.locator("#cell svg.main-svg").first.wait_for()
    assert faults(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_parity(opened: Open, scheme: str) -> None:
    page = opened(render_parity(every_verdict(), DERIVED, {}), scheme=scheme).page
    assert faults(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_upgrade(opened: Open, scheme: str, tmp_path: Path) -> None:
    def change(record: Any) -> Any:
        if isinstance(record, BlockRecord) and record.cell.task == "rnn-tiny":
            return copied(record, seconds=record.seconds * 1.3)
        return copied(record)

    found = upgraded(upgraded_run(tmp_path, change), UPGRADE)
    seen = opened(render_upgrade(found), scheme=scheme)
    assert seen.page.get_by_text("SLOWER").first.is_visible()
    assert faults(seen.page) == []
    assert (seen.complaints, len(seen.requests)) == ([], 1)  # itself
    narrow = opened(render_upgrade(found), width=390, scheme=scheme).page
    assert narrow.evaluate("document.documentElement.scrollWidth") == 390


def test_axe_finds_a_fault(opened: Open) -> None:
    """What would be found if there was something."""
    page = opened(sample_run(Path("run"))).page
    page.locator("#controls label").first.evaluate("one => one.replaceWith(one.lastChild)")
    assert any("select-name" in fault for fault in faults(page))
