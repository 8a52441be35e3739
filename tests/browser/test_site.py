"""The site of many runs as a reader meets it: opened from disk, without a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from suite.analysis.compare import compare_digests
from suite.analysis.digest import digest
from suite.report.page.comparison import render_comparison
from suite.report.site.build import build_site
from suite.run import session
from tests.browser.axe import faults
from tests.browser.conftest import Open, Opened
from tests.fixtures.large_run import large_run
from tests.fixtures.sample_run import hostile_run
from tests.fixtures.spoilt_run import answered, ended, of, small_run, without

CELLS = 30
COMPARED = """async ([base, later]) => compareRuns(
    await load(`${base}/run.js`), await load(`${later}/run.js`), site.constants)"""
Visit = Callable[..., Opened]


def slow_jax(cell) -> float:
    return 1.6 if (cell.task, cell.backend) == ("rnn-tiny", "jax") else 1.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Eight runs and what was made of them: two versions, two machines, one slower cell at the end,
    one run damaged, one folder that cannot be read.
    """
    where = tmp_path_factory.mktemp("site")
    for day in range(1, 9):
        large_run(
            where / "runs",
            id=f"run-{day}",
            created=f"2026-03-{day:02}T10:00:00+00:00",
            cells=CELLS,
            blocks=15,
            seed=day,
            machine=1 if day == 5 else 0,
            versions={"torch": "2.13.0" if day > 3 else "2.12.1"},
            factor=slow_jax if day > 6 else lambda cell: 1.0,
            label=f"night {day}" if day % 2 else None,
        )
    records = where / "runs" / "run-2" / "records.jsonl"
    first, rest = records.read_bytes().split(b"\n", 1)
    records.write_bytes(first[:40] + b"\n" + rest)
    (where / "runs" / "broken").mkdir()
    (where / "runs" / "broken" / "manifest.json").write_text("{")
    build_site(sorted((where / "runs").iterdir()), where / "site", session.read)
    return where


@pytest.fixture
def visit(opened_file, folder) -> Visit:
    """``visit(page, width=, scheme=)`` opens a page of the site."""

    def open_page(page: str = "index.html", **options) -> Opened:
        return opened_file((folder / "site").as_uri() + f"/{page}", **options)

    return open_page


def shown(page: Page) -> list[str]:
    """The names of the rows that are seen, in order."""
    return page.locator("#rows tbody tr:not([hidden]) th").all_inner_texts()


def settled(page: Page) -> None:
    page.locator("#rows tbody tr").first.wait_for(state="attached")


def quiet(found: Opened) -> bool:
    """No complaint, and nothing but files asked for."""
    return found.complaints == [] and all(url.startswith("file:") for url in found.requests)


def test_the_index_filters_and_the_address_says_so(visit: Visit) -> None:
    found = visit()
    page = found.page
    assert len(shown(page)) == 9
    page.locator("[data-state=version]").select_option("torch 2.12.1")
    assert shown(page) == ["night 3", "run-2", "night 1"]
    page.locator("[data-state=q]").fill("night")
    assert shown(page) == ["night 3", "night 1"]
    assert page.locator("#amount").inner_text() == "2 of 9 runs"
    page.locator("#rows th[data-sort=date] button").click()
    assert shown(page) == ["night 1", "night 3"]
    again = visit(page.url.rpartition("/")[2])
    assert shown(again.page) == ["night 1", "night 3"]
    assert again.page.locator("[data-state=q]").input_value() == "night"
    assert again.page.locator("#rows th[data-sort=date]").get_attribute("aria-sort") == "ascending"
    assert quiet(found)
    assert quiet(again)


def test_damaged_runs_are_rows_that_say_so(visit: Visit) -> None:
    page = visit().page
    broken = page.locator("#rows tr", has=page.get_by_text("broken", exact=True))
    assert "damaged" in broken.inner_text()
    assert broken.locator("a, input").count() == 0
    cut = page.locator("#rows tr", has=page.get_by_text("run-2", exact=True))
    assert "damaged" in cut.inner_text()
    assert "was left out" in cut.inner_text()
    assert cut.locator("a").count() == 1


def test_two_runs_are_picked_and_compared(visit: Visit, folder: Path) -> None:
    found = visit()
    page = found.page
    page.get_by_label("Compare night 7").check()
    page.get_by_label("Compare run-6").check()
    page.get_by_role("link", name="Compare run-6 → night 7").click()
    settled(page)
    assert page.locator("h1").inner_text() == "run-6 → night 7"
    assert page.locator("#findings li").first.inner_text().startswith("2 slower")
    assert "rnn-tiny" in page.locator("#rows tbody tr").first.inner_text()
    page.locator("[data-state=change]").select_option("regressed")
    assert shown(page) == ["jax compiled", "jax compiled"]
    again = visit(page.url.rpartition("/")[2])
    settled(again.page)
    assert shown(again.page) == ["jax compiled", "jax compiled"]
    again.page.get_by_role("button", name="Swap").click()
    expect(again.page.locator("h1")).to_have_text("night 7 → run-6")
    assert "2 faster" in again.page.locator("#findings").inner_text()
    assert quiet(found)
    assert quiet(again)


def test_other_machines_are_not_compared(visit: Visit) -> None:
    page = visit("compare.html#base=run-4&new=run-5").page
    settled(page)
    assert page.locator("#banner").is_visible()
    assert "cpu, cores and memory_bytes" in page.locator("#banner").inner_text()
    assert set(page.locator("#rows .badge").all_inner_texts()) == {"no verdict"}


@pytest.mark.parametrize(("base", "new"), [(1, 4), (6, 7), (4, 5), (8, 2), (3, 3)])
def test_the_browser_compares_as_python_does(
    visit: Visit, folder: Path, base: int, new: int
) -> None:
    page = visit(f"compare.html#base=run-{base}&new=run-{new}").page
    settled(page)
    runs = [digest(session.read(folder / "runs" / f"run-{day}")) for day in (base, new)]
    wanted = compare_digests(*runs).model_dump(mode="json", by_alias=True)
    found = page.evaluate(COMPARED, [f"run-{base}", f"run-{new}"])
    assert wanted.pop("schema") == "tribench/compare/1"
    assert _rounded(found) == _rounded(wanted)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory) -> Path:
    """Two runs, in the later of which everything is wrong that a gate stops at, and their site."""
    where = tmp_path_factory.mktemp("spoilt")
    small_run(where / "runs", "base", answered("tensorflow", None))
    small_run(
        where / "runs",
        "new",
        ended(of("jax", "train"), "failed", "<b>killed"),
        ended(of("jax", "infer"), "disturbed", "something else ran", timed=True),
        answered("torch", "different"),
        without(lambda cell: cell.arm == ("tensorflow", "eager")),
        factor=lambda cell: 0.5 if cell.backend == "torch" else 1.0,
    )
    build_site(sorted((where / "runs").iterdir()), where / "site", session.read)
    return where


def test_the_browser_gives_no_verdict_without_parity_either(opened_file, spoilt: Path) -> None:
    found = opened_file((spoilt / "site" / "compare.html").as_uri() + "#base=base&new=new")
    page = found.page
    settled(page)
    runs = [digest(session.read(spoilt / "runs" / name)) for name in ("base", "new")]
    for base, new in (runs, runs[::-1]):
        wanted = compare_digests(base, new).model_dump(
            mode="json", by_alias=True, exclude={"schema_"}
        )
        assert _rounded(page.evaluate(COMPARED, [base.id, new.id])) == _rounded(wanted)
    badges = page.locator("#rows .badge").all_inner_texts()
    assert sorted(badges) == ["INCONCLUSIVE", *["no verdict"] * 6]
    assert page.locator("#rows", has_text="parity different in NEW").count() == 1
    assert page.locator("#findings li", has_text="9 not judged").count() == 1
    lines = page.locator("#unjudged li").all_inner_texts()
    assert "cnn-tiny train ×16 jax compiled float32: failed in NEW: timing: <b>killed" in lines
    assert sum("only in BASE" in line for line in lines) == 2
    assert page.locator("#left-out").is_hidden()
    assert quiet(found)


def _rounded(value):
    """Numbers to nine digits, which two ways of computing the same agree on."""
    match value:
        case dict():
            return {name: _rounded(each) for name, each in value.items()}
        case list():
            return [_rounded(each) for each in value]
        case bool() | str() | None:
            return value
    return float(f"{value:.9g}")


@pytest.mark.parametrize("freedom", [1.0, 1.7, 4.0, 29.3, 250.0])
def test_students_distribution_is_scipys(visit: Visit, freedom: float) -> None:
    from scipy import stats

    page = visit("compare.html").page
    for t in (0.0, 1e-3, 0.5, 2.0, 8.0, 60.0):
        found = page.evaluate("([t, freedom]) => twoSided(t, freedom)", [t, freedom])
        assert found == pytest.approx(2 * stats.t.sf(t, freedom), rel=1e-9)
    for likely in (0.5, 0.035, 1e-6):
        found = page.evaluate("([p, freedom]) => quantile(p, freedom)", [likely, freedom])
        assert found == pytest.approx(stats.t.isf(likely / 2, freedom), rel=1e-9)


def test_a_comparison_of_the_command_is_the_same_page(opened: Open, folder: Path) -> None:
    runs = [digest(session.read(folder / "runs" / f"run-{day}")) for day in (6, 7)]
    found = opened(render_comparison(compare_digests(*runs)))
    assert found.page.locator("h1").inner_text() == "run-6 → run-7"
    found.page.locator("[data-state=change]").select_option("changed")
    assert shown(found.page) == ["jax compiled", "jax compiled"]
    assert found.complaints == []
    assert len(found.requests) == 1


def test_the_history_joins_what_can_be_compared_and_names_what_changed(visit: Visit) -> None:
    found = visit("history.html#task=rnn-tiny")
    page = found.page
    page.locator(".plot svg.main-svg").first.wait_for()
    assert page.locator("#changed li").all_inner_texts() == [
        "2026-03-04 run-4: torch 2.12.1 → 2.13.0"
    ]
    lines = "document.querySelector('.plot').data.filter((line) => line.mode !== 'none')"
    assert page.evaluate(f"{lines}.map((line) => line.y.length)") == [7] * 5  # no gap, no run-5
    page.locator("summary").first.click()
    rows = page.locator("figure").first.locator("tbody tr", has_text="jax compiled")
    bands = [row.locator("td").nth(4).inner_text() for row in rows.all()]
    assert bands == ["above", "above"] + ["inside"] * 5  # newest first
    page.locator("[data-state=machine]").select_option("all")
    page.locator(".plot svg.main-svg").first.wait_for()
    gaps = page.evaluate(f"{lines}[0].y.map((value) => value === null)")
    assert gaps == [False] * 4 + [True, False, True] + [False] * 3
    assert "another machine" in page.locator("#changed").inner_text()
    page.locator("summary").first.click()
    rows = page.locator("figure").first.locator("tbody tr")
    assert rows.count() == 8 * 5
    assert quiet(found)


def test_the_historys_address_leads_back(visit: Visit) -> None:
    page = visit("history.html").page
    page.locator(".plot svg.main-svg").first.wait_for()
    page.locator("[data-state=task]").select_option("transformer-tiny")
    page.locator("[data-state=metric]").select_option("memory")
    page.locator("[data-state=phase]").select_option("infer")
    page.locator("[data-state=arm]").select_option("torch eager")
    told = page.locator("#told").inner_text()
    again = visit(page.url.rpartition("/")[2]).page
    again.locator(".plot svg.main-svg").first.wait_for()
    assert again.locator("[data-state=task]").input_value() == "transformer-tiny"
    assert again.locator("#told").inner_text() == told
    assert again.locator("figure").count() == 1
    assert again.evaluate("document.querySelector('.plot').layout.yaxis.title.text").startswith(
        "MiB"
    )


def test_the_keyboard_picks_and_compares(visit: Visit) -> None:
    page = visit("index.html#q=night").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    picked = 0
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "checkbox":
            page.keyboard.press("Space")
            picked += 1
        if picked == 2:
            break
    for _ in range(60):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.id") == "compare":
            break
    page.keyboard.press("Enter")
    page.locator("#findings li").first.wait_for()
    assert "→" in page.locator("h1").inner_text()


@pytest.mark.parametrize("name", ["index.html", "history.html", "compare.html"])
@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_only_tables_scroll_sideways_and_themes_follow(
    visit: Visit, name: str, width: int, scheme: str
) -> None:
    found = visit(name, width=width, scheme=scheme)
    page = found.page
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"dark": "rgb(18, 21, 26)", "light": "rgb(246, 247, 249)"}[scheme]
    assert page.evaluate("document.querySelectorAll('th:not([scope])').length") == 0
    assert quiet(found)


def test_hostile_texts_are_shown_on_every_page(opened_file, tmp_path: Path) -> None:
    runs = {
        Path(name): hostile_run(tmp_path / name, id=name, created=f"2026-03-0{day}T00:00:00+00:00")
        for day, name in enumerate(("first", "second"), start=1)
    }
    build_site(list(runs), tmp_path / "site", runs.__getitem__)
    for name in ("index.html", "history.html", "compare.html"):
        found = opened_file((tmp_path / "site" / name).as_uri())
        found.page.wait_for_timeout(1000)
        assert found.page.evaluate("window.hacked") is None
        assert found.page.locator("main img").count() == 0
        assert quiet(found)


def test_an_address_loads_no_script_but_a_runs(visit: Visit) -> None:
    found = visit("compare.html#base=../../evil&new=https://example.org/x")
    settled(found.page)
    loaded = [url.rpartition("/site/")[2] for url in found.requests]
    assert loaded
    assert all(one.endswith((".html", "/run.js")) for one in (u.partition("#")[0] for u in loaded))
    assert not any("evil" in url.partition("#")[0] for url in found.requests)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "history.html", "compare.html"])
def test_axe_finds_nothing_serious(visit: Visit, name: str, scheme: str) -> None:
    page = visit(name, scheme=scheme).page
    page.wait_for_timeout(1000)
    assert faults(page) == []
