"""The site's first page answers: who is the quickest, on which machine, for which model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from suite.report.site.build import build_site
from suite.run import session
from tests.browser.axe import faults
from tests.browser.conftest import Open, Opened
from tests.fixtures.large_run import large_run

ROOT = Path(__file__).parents[2]
CELLS = 30  # cnn-tiny, rnn-tiny and transformer-tiny, train and infer
FOLDERS: dict[str, list[dict[str, Any]]] = {
    "one run": [{"cells": CELLS}],
    "one machine": [{"cells": CELLS}, {"cells": 10, "profile": "quick"}],
    "a gpu alone": [{"cells": CELLS, "device": "cuda"}],
    "no standard run": [
        {"cells": 10, "profile": "quick", "machine": 1},
        {"cells": CELLS, "profile": "quick"},
    ],
    "unlike machines": [{"cells": CELLS}, {"cells": 5, "profile": "quick", "machine": 2}],
}


def faster_jax(cell) -> float:
    """jax is the quickest in rnn-tiny."""
    return 0.5 if (cell.task, cell.backend) == ("rnn-tiny", "jax") else 1.0


def site(where: Path, *runs: dict[str, Any]) -> Path:
    """Of these runs, a day after the other."""
    for day, options in enumerate(runs, start=1):
        created = f"2026-03-{day:02}T10:00:00+00:00"
        large_run(where / "runs", id=f"run-{day}", created=created, blocks=15, **options)
    paths = sorted((where / "runs").iterdir()) if runs else []
    build_site(paths, where / "site", session.read)
    return where / "site"


def calm(found: Opened) -> bool:
    """No complaint, and nothing but files asked for."""
    return found.complaints == [] and all(url.startswith("file:") for url in found.requests)


def row(page: Page, task: str):
    """The task's row in what is shown."""
    return page.locator("section.front:not([hidden]) .matrix tbody tr", has_text=task)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A standard run of each of two machines, of which one has a quick run after it."""
    return site(
        tmp_path_factory.mktemp("front"),
        {"cells": CELLS, "factor": faster_jax},
        {"cells": CELLS, "machine": 1},
        {"cells": 10, "profile": "quick", "machine": 2},
    )


def test_two_choices_tell_the_quickest_of_a_model_on_a_machine(opened_file: Open, folder) -> None:
    found = opened_file((folder / "index.html").as_uri())
    page = found.page
    assert page.locator("h1").inner_text() == "Results"
    on = page.locator("[data-state=on]")
    assert on.locator("option").first.inner_text().startswith("Example CPU @ 3.40GHz")
    assert "torch eager is fastest" in row(page, "rnn-tiny").inner_text()
    on.select_option(label=on.locator("option", has_text="2.60GHz").inner_text())
    text = row(page, "rnn-tiny").inner_text()
    assert "jax" in text.partition("is fastest")[0].splitlines()[-1]
    assert "samples/s" in text
    assert "MiB" in text
    assert "95.0 %" in text  # what trainings reach
    marked = row(page, "rnn-tiny").locator("td.first")
    assert marked.count() == 1
    assert marked.locator(".times").inner_text() == "1.00"
    page.locator("[data-state=phase]").select_option("infer")
    assert "of inference" in page.locator("section.front:not([hidden]) .said").inner_text()
    again = opened_file(page.url)
    assert again.page.locator("section.front:not([hidden])").count() == 1
    assert again.page.locator("section.front:not([hidden])").get_attribute("data-phase") == "infer"
    assert calm(found)
    row(page, "rnn-tiny").locator("th a").click()
    page.locator("[role=tab]").first.wait_for()
    assert "task=rnn-tiny" in page.url
    assert "rnn-tiny" in page.locator("body").inner_text()


@pytest.mark.parametrize("name", FOLDERS)
def test_every_page_opens_on_something_that_was_measured(
    opened_file: Open, tmp_path: Path, name: str
) -> None:
    made = site(tmp_path, *FOLDERS[name])
    front = opened_file((made / "index.html").as_uri())
    assert front.page.locator("section.front:not([hidden]) .matrix tbody tr").count() > 0
    past = opened_file((made / "history.html").as_uri())
    past.page.locator(".plot svg.main-svg").first.wait_for()
    assert past.page.locator("#nothing").is_hidden()
    both = opened_file((made / "compare.html").as_uri())
    both.page.locator("#findings li").first.wait_for(state="attached")
    if name == "one machine":
        assert both.page.locator("#rows tbody tr").count() == 10
    assert all(map(calm, (front, past, both)))


def test_without_a_run_it_says_so(opened_file: Open, tmp_path: Path) -> None:
    found = opened_file((site(tmp_path) / "index.html").as_uri())
    assert found.page.locator(".empty").inner_text() == "No run is here yet."
    assert found.page.locator("section.front").count() == 0
    assert calm(found)
    for name in ("history", "compare"):
        other = opened_file(found.page.url.replace("index", name))
        other.page.wait_for_timeout(300)
        assert calm(other)


def test_a_choice_that_was_not_measured_cannot_be_made(opened_file: Open, folder) -> None:
    past = opened_file((folder / "history.html").as_uri()).page
    past.locator(".plot svg.main-svg").first.wait_for()
    able = past.locator("[data-state=task] option:not([disabled])").all_inner_texts()
    assert able == ["cnn-tiny"]  # of the newest machine
    told = opened_file((folder / "history.html").as_uri() + "#task=rnn-tiny").page
    told.locator(".plot svg.main-svg").first.wait_for()
    assert "3.40GHz" in told.locator("[data-state=machine] option:checked").inner_text()


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_the_published_runs_make_a_first_page_without_faults(
    opened_file: Open, tmp_path: Path, width: int, scheme: str
) -> None:
    runs = [path.parent for path in sorted(ROOT.glob("results/published/*/manifest.json"))]
    build_site(runs, tmp_path / "site", session.read)
    found = opened_file((tmp_path / "site" / "index.html").as_uri(), width=width, scheme=scheme)
    page = found.page
    assert page.locator("section.front:not([hidden]) .matrix tbody tr").count() >= 10
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert faults(page) == []
    assert calm(found)
    for name in ("history", "compare"):
        other = opened_file((tmp_path / "site" / f"{name}.html").as_uri(), width=width)
        other.page.wait_for_timeout(1000)
        assert (
            other.page.locator("#nothing").count() == 0
            or other.page.locator("#nothing").is_hidden()
        )
        assert calm(other)
