"""A reader looks for an answer on the page of a run: sorts, filters, compares, looks closer."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Download, Page, expect

from suite.records.schema import BlockRecord, Interval
from tests.browser.conftest import Open
from tests.fixtures.sample_run import HOSTILE, hostile_run, sample_run
from tests.fixtures.summaries import of_language_models

ROWS = "#cells tbody tr"


def column(page: Page, head: str) -> list[str]:
    """The values of a column of the main table, as they are sorted by; '' where missing."""
    return page.evaluate(
        """head => {
            const heading = document.querySelector(`#cells [data-head="${head}"]`).closest("th");
            return [...document.querySelectorAll("#cells tbody tr")]
                .map(row => row.cells[heading.cellIndex].dataset.value);
        }""",
        head,
    )


def numbers(values: list[str]) -> list[float]:
    return [float(value) for value in values if value]


def choose(page: Page, **choices: str) -> None:
    for name, value in choices.items():
        page.locator(f"#controls select[name={name}]").select_option(value)


def texts(download: Download) -> str:
    return Path(download.path()).read_text("utf-8")


def shown(page: Page) -> dict[str, object]:
    """What a reader sees of the state."""
    return page.evaluate(
        """() => ({
            chosen: [...document.querySelector("#controls").elements].map(one => one.value),
            tab: document.querySelector("[aria-selected=true]").textContent,
            table: document.querySelector("#cells").innerText,
            cell: document.querySelector("#cell[open] #cell-title")?.textContent ?? null,
        })"""
    )


@pytest.fixture
def page(opened: Open) -> Page:
    return opened(sample_run(Path("run"))).page


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(page: Page) -> None:
    before = column(page, "value")
    heading = page.locator("#cells th", has=page.locator("[data-head=value]"))
    heading.get_by_role("button").click()
    rising = column(page, "value")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert rising != before
    assert numbers(rising) == sorted(numbers(before))
    heading.get_by_role("button").click()
    falling = column(page, "value")
    assert heading.get_attribute("aria-sort") == "descending"
    assert numbers(falling) == sorted(numbers(before), reverse=True)
    assert rising[-3:] == falling[-3:] == ["", "", ""]  # what was not measured stays last
    page.locator("#cells [data-head=task]").click()
    assert heading.get_attribute("aria-sort") == "none"


def test_table_and_figures_follow_the_filters(page: Page) -> None:
    everything = page.locator(ROWS).count()
    choose(page, task="rnn-tiny", phase="train")
    assert set(column(page, "task")) == {"rnn-tiny"}
    assert set(column(page, "phase")) == {"train"}
    assert page.locator("#cards article").count() == 1
    left = page.locator(ROWS).count()
    assert 0 < left < everything
    assert page.locator("#told b").text_content() == f"{left} of {everything} cells"
    page.get_by_role("tab", name="Figures").click()
    assert page.locator("#metric figure").first.locator("tbody tr").count() == left
    page.get_by_role("tab", name="Noise").click()
    assert page.locator("#blocks figure").count() == 1
    page.get_by_role("tab", name="Accuracy").click()
    titles = page.locator("#accuracy figure:visible h3").all_text_contents()
    assert titles
    assert all(title.startswith("rnn-tiny") for title in titles)
    choose(page, backend="jax")
    trainings = page.get_by_role("region", name="Every training").locator("tbody tr:visible")
    assert [row.split("\t")[:2] for row in trainings.all_inner_texts()] == [["rnn-tiny", "■ jax"]]
    page.get_by_role("tab", name="Parity").click()
    asked = page.locator("#parity table").first.locator("tbody tr:visible")
    assert {row.split("\t")[0] for row in asked.all_inner_texts()} == {"rnn-tiny"}
    assert all("jax" in row.split("\t")[1] for row in asked.all_inner_texts())
    page.get_by_role("tab", name="Results").click()
    page.get_by_text("Every number of every cell").click()
    every = page.locator("#numbers tbody tr:visible").count()
    assert every == page.locator(ROWS).count()
    page.get_by_text("Every pair of arms, with its verdict").click()
    pairs = page.locator("#ratios tbody tr:visible").all_inner_texts()
    assert pairs
    assert all("jax" in pair and pair.startswith("rnn-tiny") for pair in pairs)
    page.get_by_role("tab", name="Accuracy").click()
    figure = page.locator("#accuracy figure:visible").nth(1)
    figure.scroll_into_view_if_needed()
    figure.locator("svg.main-svg").first.wait_for()
    assert figure.locator("path.js-line").count() == 1  # the others' traces are not drawn
    page.get_by_role("button", name="Reset the filters").click()
    page.get_by_role("tab", name="Results").click()
    assert page.locator(ROWS).count() == everything


def test_only_failed_cells_and_a_search(page: Page) -> None:
    choose(page, show="failed")
    assert column(page, "status") == ["failed"]
    assert "signal 9" in page.locator(ROWS).inner_text()
    choose(page, show="all")
    page.get_by_role("searchbox").fill("jax eager")
    assert column(page, "arm") == ["jax eager"]
    page.get_by_role("searchbox").fill("nothing of that name")
    assert page.locator("#nothing").is_visible()


def test_one_switch_shows_another_metric_everywhere(page: Page) -> None:
    rates, arms = column(page, "value"), column(page, "arm")
    choose(page, metric="step")
    assert page.locator("#cells [data-head=value]").text_content() == "ms ↓"
    assert column(page, "arm") == arms
    assert any(rates)
    for rate, step in zip(rates, column(page, "value"), strict=True):
        assert not rate or float(rate) * float(step) == pytest.approx(128 * 1000)
    page.get_by_role("tab", name="Figures").click()
    assert page.locator("#metric h3").first.text_content() == "Step time"
    choose(page, metric="accuracy")
    page.get_by_role("tab", name="Results").click()
    verdicts = set(column(page, "verdict"))
    assert {"EQUIVALENT", "DIFFERENT"} & verdicts
    assert "points" in page.locator("#cells").inner_text()


def test_language_models_differ_by_bits(opened: Open) -> None:
    page = opened(of_language_models(sample_run(Path("run")))).page
    choose(page, metric="bits_per_byte")
    told = page.locator("#cells").inner_text()
    assert " bits" in told
    assert " points" not in told
    assert "EQUIVALENT" in told
    page.get_by_role("tab", name="Figures").click()
    caption = "The band is ±0.02 bits: an interval inside it means EQUIVALENT."
    expect(page.get_by_text(caption).first).to_be_visible()


def test_the_reader_chooses_what_everything_is_compared_with(page: Page) -> None:
    choose(page, metric="step", task="rnn-tiny", phase="train", base="torch eager")
    ratios = dict(zip(column(page, "arm"), numbers(column(page, "relative")), strict=True))
    verdicts = dict(zip(column(page, "arm"), column(page, "verdict"), strict=True))
    assert ratios["torch eager"] == 1
    assert ratios["jax compiled"] < 1
    assert verdicts["jax compiled"] == "FASTER"
    choose(page, base="jax compiled")
    turned = dict(zip(column(page, "arm"), numbers(column(page, "relative")), strict=True))
    verdicts = dict(zip(column(page, "arm"), column(page, "verdict"), strict=True))
    assert turned["torch eager"] == pytest.approx(1 / ratios["jax compiled"])
    assert verdicts["torch eager"] == "SLOWER"
    assert verdicts["tensorflow compiled"] == "EQUIVALENT"
    choose(page, metric="throughput")  # ratios are of times there too
    rates = dict(zip(column(page, "arm"), numbers(column(page, "relative")), strict=True))
    assert rates["torch eager"] == pytest.approx(turned["torch eager"])
    assert page.locator("#cells [data-head=relative]").text_content() == "time against jax compiled"
    assert dict(zip(column(page, "arm"), column(page, "verdict"), strict=True)) == verdicts
    choose(page, show="not EQUIVALENT")
    assert column(page, "arm") == ["torch eager"]
    intervals = page.locator("#cells td.axis line.interval")
    assert intervals.count() == 1


def test_two_launches_are_shown_and_launches_that_differ_give_no_interval(opened: Open) -> None:
    run = sample_run(Path("run"))
    wide = {"low": 1e-22, "high": 5.2e22, "launch_ratios": [1.0, 190.0, 14.0]}
    two = {"launches": 2, "launch_ratios": [0.54, 0.52]}
    change = {"cnn-tiny": wide, "rnn-tiny": two}
    comparisons = [c.model_copy(update=change.get(c.task, {})) for c in run.summary.comparisons]
    cells = []
    for cell in run.summary.cells:
        step, told = cell.step_seconds, {}
        if step is not None and cell.task == "cnn-tiny":
            wild = Interval(value=step.value, low=1e-24, high=1e21)
            told = {"step_seconds": wild, "launch_seconds": [0.001, 0.19, 0.014]}
        elif step is not None and cell.task == "rnn-tiny":
            told = {"launches": 2, "launch_seconds": [step.value, 1.28 * step.value]}
        cells.append(cell.model_copy(update=told))
    summary = run.summary.model_copy(update={"comparisons": comparisons, "cells": cells})
    page = opened(replace(run, summary=summary)).page
    assert page.evaluate("() => times(2, 0.1, 23)") == "2.00 (not known)"
    assert page.evaluate("() => times(0.0049, 0.004, 0.006)") == "0.0049 (0.0040 to 0.01)"
    for metric in ("throughput", "step"):
        choose(page, metric=metric)
        table = page.locator("#cells").inner_text()
        assert table.count("not determined: launches differ 190-fold") == 6 + 4
        assert "0.52 and 0.54×" in table
        value = cells[7].batch_size / cells[7].step_seconds.value
        assert (f"{value / 1.28:,.0f} and {value:,.0f}" in table) == (metric == "throughput")
        assert "000000000" not in page.locator("main").inner_text()


def test_a_cell_opens_in_depth_and_closes_again(opened: Open) -> None:
    run = sample_run(Path("run"))
    page = opened(run).page
    opener = page.locator(ROWS).first.get_by_role("button")
    arm = opener.inner_text().split(maxsplit=1)[1]
    opener.click()
    dialog = page.get_by_role("dialog")
    assert arm in dialog.get_by_role("heading", level=2).inner_text()
    dialog.locator("svg.main-svg").first.wait_for()
    cell = page.evaluate("results.cells.find(one => one.id === state.cell)")
    ours = [
        record
        for record in run.records
        if isinstance(record, BlockRecord)
        and (record.cell.task, record.cell.phase, record.cell.backend)
        == (cell["task"], cell["phase"], cell["backend"])
    ]
    assert f"--task {cell['task']}" in dialog.locator("pre").inner_text()
    assert "channels-last" in dialog.inner_text()
    assert "Example CPU" in dialog.inner_text()
    with page.expect_download() as raw:
        dialog.get_by_role("button", name="Raw samples as CSV").click()
    rows = list(csv.DictReader(io.StringIO(texts(raw.value))))
    assert len(rows) == len(ours) > 0
    told = sorted(float(row["ms per step"]) for row in rows)
    assert told == pytest.approx(sorted(1000 * b.seconds / b.steps for b in ours), rel=1e-5)
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert "cell=" not in page.url
    assert page.evaluate("document.activeElement.className") == "open"
    page.go_back()
    assert dialog.is_visible()
    page.go_back()
    assert not dialog.is_visible()


def test_the_address_leads_to_the_same_state_and_back_goes_back(opened: Open) -> None:
    found = opened(sample_run(Path("run")))
    page = found.page
    first = shown(page)
    choose(page, metric="process", base="torch eager", phase="infer")
    page.get_by_role("searchbox").fill("tiny")
    page.locator("#cells [data-head=relative]").click()
    page.locator(ROWS).first.get_by_role("button").click()
    there = shown(page)
    assert there != first
    other = page.context.new_page()
    other.goto(page.url)
    assert shown(other) == there
    for _ in range(5):  # the cell, the order, the filter, the baseline, the metric
        page.go_back()
    assert shown(page) == first
    other.goto(page.url.split("#")[0] + "#metric=%3Cimg%3E&tab=__proto__&sort=toString&cell=none")
    assert shown(other) == first
    assert found.complaints == []


def test_everything_can_be_done_by_keyboard(page: Page) -> None:
    def tab_to(condition: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches({condition!r})"):
                return
        pytest.fail(f"Tab does not lead to {condition}")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    tab_to("[role=tab]")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Figures")).to_be_focused()
    assert page.locator("#figures").is_visible()
    page.keyboard.press("Home")
    assert page.locator("#cells").is_visible()
    tab_to("select[name=metric]")
    page.keyboard.press("ArrowDown")
    assert page.locator("#cells [data-head=value]").text_content() == "ms ↓"
    tab_to("[data-head=value]")
    page.keyboard.press("Enter")
    steps = numbers(column(page, "value"))
    assert steps == sorted(steps)
    page.keyboard.press("Space")  # still on the heading
    assert numbers(column(page, "value")) == steps[::-1]
    tab_to("#cells .open")
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()


def test_the_reader_switches_to_dark(page: Page) -> None:
    page.get_by_role("tab", name="Figures").click()
    page.locator("#metric svg.main-svg").first.wait_for()
    page.get_by_role("button", name="Dark").click()
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(18, 21, 26)"
    expect(page.locator(".xtick text").first).to_have_css("fill", "rgb(231, 234, 238)")
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(ground) == "rgb(246, 247, 249)"


def test_tables_and_figures_can_be_taken_away(opened: Open) -> None:
    page = opened(hostile_run(Path("run"))).page
    with page.expect_download() as taken:
        page.get_by_role("button", name="Table as CSV").click()
    rows = list(csv.DictReader(io.StringIO(texts(taken.value))))
    assert len(rows) == page.locator(ROWS).count()
    assert any(row["task"].startswith(f"'{HOSTILE[:6]}") for row in rows)  # no formula
    assert numbers([row["throughput samples/s"] for row in rows]) == numbers(column(page, "value"))
    page.get_by_role("tab", name="Figures").click()
    figure = page.locator("#metric figure").first
    with page.expect_download() as drawn:
        figure.get_by_role("button", name="SVG").click()
    assert texts(drawn.value).startswith("<svg")
    with page.expect_download() as behind:
        figure.get_by_role("button", name="CSV").click()
    assert len(texts(behind.value).splitlines()) == 1 + figure.locator("tbody tr").count()


def test_a_command_is_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(ROWS).first.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Copy the command").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == dialog.locator("pre").inner_text()


def test_the_page_is_short(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollHeight") < 3000
    table = page.locator("#cells").locator("..")
    assert table.evaluate("one => one.scrollWidth - one.clientWidth") == 0
