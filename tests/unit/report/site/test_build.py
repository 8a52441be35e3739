"""The site of many runs: what is made again, and what is said of runs that cannot be read."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from suite.analysis.comparable import machines
from suite.analysis.digest import Digest, digest
from suite.report.page.page import render
from suite.report.site.build import CALL, build_site
from suite.report.site.rankings import ranked
from suite.run import session
from tests.fixtures.large_run import large_run
from tests.fixtures.sample_run import hostile_run, sample_run

WHEN = "2026-03-{:02}T10:00:00+00:00"


@pytest.fixture
def runs(tmp_path) -> list[Path]:
    return [
        large_run(tmp_path / "runs", id=f"run-{day}", created=WHEN.format(day), cells=5, seed=day)
        for day in (1, 2, 3)
    ]


def made(site: Path) -> dict[str, int]:
    """When each run's page was written."""
    return {page.parent.name: page.stat().st_mtime_ns for page in site.glob("*/index.html")}


def test_only_what_changed_is_made_again(runs, tmp_path):
    site = tmp_path / "site"
    build_site(runs, site, session.read)
    before = made(site)
    assert set(before) == {"run-1", "run-2", "run-3"}
    more = large_run(tmp_path / "runs", id="run-4", created=WHEN.format(4), cells=5)
    records = runs[1] / "records.jsonl"
    records.write_text(records.read_text().rpartition("\n")[0][:-40] + "\n")
    build_site([*runs, more], site, session.read)
    after = made(site)
    assert {name for name in after if after[name] != before.get(name)} == {"run-2", "run-4"}
    index = (site / "index.html").read_text()
    assert all(f'href="run-{day}/index.html"' in index for day in (1, 2, 3, 4))
    assert "was left out" in index


def test_another_tribench_makes_every_page_again(runs, tmp_path, monkeypatch):
    site = tmp_path / "site"
    build_site(runs, site, session.read)
    before = made(site)
    assert len(before) == len(runs)
    monkeypatch.setattr("suite.report.site.build._code", lambda: "another")
    build_site(runs, site, session.read)
    assert all(made(site)[name] != when for name, when in before.items())


def test_the_index_counts_the_cells_that_the_page_counts(tmp_path):
    kinds = iter(("disturbed", "not_stationary"))
    run = sample_run(tmp_path / "run")
    cells = [c.model_copy(update={"status": next(kinds, "ok")}) for c in run.summary.cells]
    run = dataclasses.replace(run, summary=run.summary.model_copy(update={"cells": cells}))
    assert digest(run).measured == 17
    assert "<strong>17 of 20 cells measured</strong>" in render(run, "")


def test_a_digest_says_the_same_when_it_is_read_back(tmp_path):
    run = sample_run(tmp_path / "r", id="r")
    build_site([Path("r")], tmp_path / "site", {Path("r"): run}.__getitem__)
    text = (tmp_path / "site" / "r" / "run.js").read_text().partition("\n")[2]
    assert Digest.model_validate_json(text.removeprefix(CALL).removesuffix(");\n")) == ranked(
        run, digest(run)
    )


def test_what_cannot_be_read_is_a_row_and_the_others_are_shown(runs, tmp_path):
    broken = tmp_path / "runs" / "<b>broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{")
    index = build_site([broken, *runs], tmp_path / "site", session.read).read_text()
    assert "&lt;b&gt;broken holds nothing that can be shown" in index
    assert "<b>broken" not in index
    assert [f'href="run-{day}/index.html"' in index for day in (1, 2, 3)] == [True] * 3


def test_a_copy_of_a_run_is_a_row_and_does_not_overwrite_it(runs, tmp_path):
    copy = tmp_path / "copies" / "renamed"
    shutil.copytree(runs[0], copy)
    site = tmp_path / "site"
    index = build_site([*runs, copy, runs[0]], site, session.read).read_text()
    assert "renamed" in index
    assert "it is run run-1 again, which run-1 holds" in index
    assert set(made(site)) == {"run-1", "run-2", "run-3"}
    before = made(site)
    renamed = build_site([copy], site, session.read).read_text()
    assert 'href="run-1/index.html"' in renamed
    assert "again" not in renamed
    assert made(site) == before  # known by what it holds, whatever its folder is called


def test_a_site_of_no_runs_says_so(tmp_path):
    assert "No run is here yet" in build_site([], tmp_path, session.read).read_text()


def test_nothing_hostile_leaves_its_text(tmp_path):
    runs = {Path(name): hostile_run(tmp_path / name, id=name) for name in ("first", "second")}
    build_site(list(runs), tmp_path / "site", runs.__getitem__)
    for page in ("index.html", "compare.html", "history.html"):
        text = (tmp_path / "site" / page).read_text()
        assert "<script>window" not in text
        assert "<img" not in text
    files = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert {file.partition("/")[0] for file in files} == {"site"}


def test_shared_pages_grow_by_little_a_run(tmp_path):
    def size(count: int) -> dict[str, int]:
        runs = [
            large_run(
                tmp_path / str(count), id=f"r{day}", created=WHEN.format(day), cells=10, seed=day
            )
            for day in range(1, count + 1)
        ]
        site = tmp_path / f"site-{count}"
        build_site(runs, site, session.read)
        return {
            p.relative_to(site).as_posix().partition("/")[0]: p.stat().st_size
            for p in site.rglob("*.html")
        }

    few, many = size(2), size(8)
    for name in ("index.html", "compare.html", "history.html"):
        assert (many[name] - few[name]) / 6 < 2_500


def test_machines_are_numbered_by_what_matters(runs, tmp_path):
    other = large_run(tmp_path, id="other", created=WHEN.format(4), cells=5, machine=1)
    newer = large_run(
        tmp_path, id="newer", created=WHEN.format(5), cells=5, versions={"torch": "2.14.0"}
    )
    found = [session.read(path).environment for path in (runs[0], other, newer, other)]
    assert machines(found) == [0, 1, 0, 1]
