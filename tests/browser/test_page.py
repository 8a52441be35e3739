"""The page of a run as a reader meets it: opened from disk, without a network."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.browser.conftest import Open
from tests.sample_run import HOSTILE, hostile_run, sample_run

RATES = "[...document.querySelectorAll('#cells tbody tr')].map(row => row.cells[5].dataset.value)"


def scrolled_through(page) -> None:
    """Bring every figure into view, as a reader would, and wait until it is drawn."""
    for holder in page.locator(".plot").all():
        holder.scroll_into_view_if_needed()
        holder.locator("svg.main-svg").first.wait_for()


def numbers(values: list[str]) -> list[float]:
    return [float(value) for value in values if value]


def test_every_figure_is_drawn_and_nothing_is_loaded(opened: Open) -> None:
    found = opened(sample_run(Path("run")))
    assert found.page.locator("svg.main-svg").count() == 0  # none before it is looked at
    scrolled_through(found.page)
    assert found.page.locator(".plot").count() == 18
    empty = found.page.evaluate(
        """[...document.querySelectorAll('.plot')]
            .filter(one => !one.querySelector('path.point, path.js-line')).length"""
    )
    assert empty == 0
    assert found.complaints == []
    assert len(found.requests) == 1
    assert found.requests[0].startswith("file:")


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(opened: Open) -> None:
    page = opened(sample_run(Path("run"))).page
    before = page.evaluate(RATES)
    heading = page.locator("#cells th", has_text="samples/s")
    heading.get_by_role("button").click()
    rising = page.evaluate(RATES)
    assert heading.get_attribute("aria-sort") == "ascending"
    assert rising != before
    assert numbers(rising) == sorted(numbers(before))
    heading.get_by_role("button").click()
    falling = page.evaluate(RATES)
    assert heading.get_attribute("aria-sort") == "descending"
    assert numbers(falling) == sorted(numbers(before), reverse=True)
    assert rising[-3:] == falling[-3:] == ["", "", ""]  # what was not measured stays last
    page.locator("#cells th", has_text="task").get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "none"


def test_the_keyboard_sorts_too(opened: Open) -> None:
    page = opened(sample_run(Path("run"))).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#cells th')?.cellIndex") == 5:
            break
    page.keyboard.press("Enter")
    rates = numbers(page.evaluate(RATES))
    assert rates == sorted(rates)
    page.keyboard.press("Space")
    assert numbers(page.evaluate(RATES)) == rates[::-1]


def test_hostile_texts_are_shown_and_run_nothing(opened: Open) -> None:
    found = opened(hostile_run(Path("run")))
    scrolled_through(found.page)
    assert found.page.evaluate("window.hacked") is None
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
    scrolled_through(page)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("scrollTo(500, 0)")
    assert page.evaluate("scrollX") == 0


def test_dark_and_light_follow_the_reader(opened: Open) -> None:
    page = opened(sample_run(Path("run")), scheme="dark").page
    holder = page.locator(".plot").first
    holder.scroll_into_view_if_needed()
    holder.locator("svg.main-svg").first.wait_for()

    def colours() -> list[str]:
        return page.evaluate(
            """[getComputedStyle(document.body).backgroundColor,
                getComputedStyle(document.querySelector(".xtick text")).fill]"""
        )

    dark = colours()
    page.emulate_media(color_scheme="light")
    page.wait_for_function(
        "before => getComputedStyle(document.querySelector('.xtick text')).fill !== before",
        arg=dark[1],
    )
    light = colours()
    assert dark == ["rgb(18, 21, 26)", "rgb(231, 234, 238)"]
    assert light == ["rgb(246, 247, 249)", "rgb(26, 31, 39)"]


def test_every_table_has_headings_and_every_region_a_name(opened: Open) -> None:
    page = opened(sample_run(Path("run"))).page
    assert page.evaluate("document.querySelectorAll('th:not([scope])').length") == 0
    assert page.evaluate("document.querySelectorAll('[role]:not([aria-label])').length") == 0
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map(heading => +heading.tagName[1])"
    )
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
    broken = page.evaluate(
        """[...document.querySelectorAll('nav a')]
            .filter(one => !document.querySelector(one.hash)).length"""
    )
    assert broken == 0


def test_print_draws_every_figure(opened: Open) -> None:
    page = opened(sample_run(Path("run"))).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.locator("svg.main-svg").last.wait_for(state="attached")
    drawn = (
        "[...document.querySelectorAll('.plot')].every(one => one.querySelector('svg.main-svg'))"
    )
    page.wait_for_function(drawn)
