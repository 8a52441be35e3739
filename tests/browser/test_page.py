"""The page of a run as a reader meets it: opened from disk, without a network."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.fixtures.sample_run import HOSTILE, hostile_run, sample_run

TAB = "[role=tab]:visible"


def scrolled_through(page: Page) -> int:
    """Bring every figure into view, tab by tab as a reader would, and wait until it is drawn; how
    many there are.
    """
    tabs = page.locator(TAB).all()
    amount = 0
    for tab in tabs or [None]:
        if tab:
            tab.click()
        for holder in page.locator(".plot:visible").all():
            holder.scroll_into_view_if_needed()
            holder.locator("svg.main-svg").first.wait_for()
            assert holder.locator("path.point, path.js-line, .heatmaplayer image").count()
            amount += 1
    return amount


def test_every_figure_is_drawn_and_nothing_is_loaded(opened: Open) -> None:
    found = opened(sample_run(Path("run")))
    assert found.page.locator("svg.main-svg").count() == 0  # none before it is looked at
    # results: metric, ratio, three trade-offs; per task 3 of accuracy, 1 of parity; 2 of launches
    # and the blocks of 6 comparisons
    assert scrolled_through(found.page) == 5 + 9 + 3 + 8
    assert found.complaints == []
    assert len(found.requests) == 1
    assert found.requests[0].startswith("file:")


def test_hostile_texts_are_shown_and_run_nothing(opened: Open) -> None:
    found = opened(hostile_run(Path("run")))
    scrolled_through(found.page)
    found.page.locator(TAB).first.click()
    found.page.locator("#cells .open").first.click()
    assert found.page.evaluate("window.hacked") is None
    found.page.evaluate("history.back()")
    assert found.page.locator("img, main script:not([type='application/json'])").count() == 0
    assert found.page.locator("h1").text_content() == HOSTILE
    assert found.page.title().startswith("tribench =cmd|")
    assert found.complaints == []
    assert len(found.requests) == 1


def test_a_script_that_is_not_the_pages_own_is_refused(opened: Open) -> None:
    found = opened(sample_run(Path("run")))
    found.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.hacked = 1";
            document.body.append(script);
        }"""
    )
    assert found.page.evaluate("window.hacked") is None
    assert "Content Security Policy" in found.complaints[0]


@pytest.mark.parametrize("width", [390, 768, 1400])
def test_only_tables_scroll_sideways(opened: Open, width: int) -> None:
    page = opened(hostile_run(Path("run")), width=width).page
    tabs = page.locator(TAB).all()
    assert len(tabs) > 1
    for tab in tabs:
        tab.click()
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab.text_content()
        page.evaluate("scrollTo(500, 0)")
        assert page.evaluate("scrollX") == 0
    page.locator(TAB).first.click()
    page.locator("#cells .open").first.click()
    dialog = page.locator("#cell")
    dialog.locator(".plot").first.scroll_into_view_if_needed()
    dialog.locator("svg.main-svg").first.wait_for()
    assert dialog.evaluate("one => one.scrollWidth - one.clientWidth") == 0


def test_dark_and_light_follow_the_system(opened: Open) -> None:
    page = opened(sample_run(Path("run")), scheme="dark").page
    page.locator(TAB).nth(1).click()
    page.locator(".plot svg.main-svg").first.wait_for()

    def colours() -> list[str]:
        return page.evaluate(
            """[getComputedStyle(document.body).backgroundColor,
                getComputedStyle(document.querySelector(".xtick text")).fill]"""
        )

    dark = colours()
    page.emulate_media(color_scheme="light")
    expect(page.locator(".xtick text").first).not_to_have_css("fill", dark[1])
    light = colours()
    assert dark == ["rgb(18, 21, 26)", "rgb(231, 234, 238)"]
    assert light == ["rgb(246, 247, 249)", "rgb(26, 31, 39)"]


def test_every_table_has_headings_and_every_region_a_name(opened: Open) -> None:
    page = opened(sample_run(Path("run"))).page
    scrolled_through(page)
    assert page.evaluate("document.querySelectorAll('th:not([scope])').length") == 0
    unnamed = "[role=region]:not([aria-label]), [role=img]:not([aria-label])"
    assert page.locator(unnamed).count() == 0
    levels = page.evaluate(
        "[...document.querySelectorAll('main h2, main h3, main h4')].map(one => +one.tagName[1])"
    )
    assert levels[0] == 2
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
    tabs = page.locator(TAB).all()
    assert len(tabs) > 1
    for tab in tabs:
        assert page.locator(f"#{tab.get_attribute('aria-controls')}[role=tabpanel]").count() == 1


def test_print_shows_every_tab_and_draws_every_figure(opened: Open) -> None:
    page = opened(sample_run(Path("run"))).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    plots = page.locator(".plot")
    expect(plots.filter(has=page.locator("svg.main-svg"))).to_have_count(25)
    assert plots.count() == 25
    assert page.locator("[role=tabpanel]:visible").count() == 7
    assert page.locator("#controls:visible, #theme:visible, [role=tab]:visible").count() == 0
