"""Parity's page as a reader meets it: opened from disk, without a network."""

from __future__ import annotations

import pytest

from suite.report.page.parity import render_parity
from tests.browser.conftest import Open
from tests.browser.test_page import scrolled_through
from tests.fixtures.sample_parity import DERIVED, every_verdict


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_every_figure_is_drawn_and_fits(opened: Open, width: int, scheme: str) -> None:
    found = opened(render_parity(every_verdict(), DERIVED, {}), width=width, scheme=scheme)
    assert scrolled_through(found.page) == 6
    assert found.page.locator(".heatmaplayer image").count() == 4
    assert found.page.locator(".heatmaplayer text, .heatmap-label").first.text_content()
    wide = found.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    assert found.complaints == []
    assert len(found.requests) == 1
