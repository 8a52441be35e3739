"""Result folders full of harmful texts and numbers: shown as text, or refused in one line."""

from __future__ import annotations

import csv
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from suite.commands import compare, export, report
from suite.report.exports import EXPORTS
from suite.run import session
from suite.store.directory import StoreError
from suite.store.lines import checksum
from suite.store.seal import SEAL
from tests.fixtures.hostile_folder import TEXTS, hostile_folders
from tests.fixtures.stored_run import stored_sample

RISKY = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return list(hostile_folders(tmp_path_factory.mktemp("hostile") / "in" / "runs"))


def files(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


def test_every_output_stays_in_its_folder_and_holds_text_only(
    folders, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    top = folders[0].parents[2]
    before = files(top)
    for run in folders:
        report.command([run])
        export.command(run, "bencher", Path("export.json"))
    report.command(folders, Path("site"))
    written = files(top) - before
    assert {path.parent for path in written} <= {*folders}
    outside = {path.relative_to(tmp_path).parts[0] for path in files(tmp_path)}
    assert outside == {"site", "export.json"}
    shown = capsys.readouterr().out
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    for page in [*tmp_path.rglob("*.html"), *(run / "page.html" for run in folders)]:
        text = page.read_text()
        assert "<svg onload" not in text
        assert "<img src" not in text
        assert "<script>window" not in text
        assert 'href="javascript' not in text


def test_no_cell_of_a_table_begins_a_formula(folders):
    seen = set()
    for table in (table for run in folders for table in (run / "tables").glob("*.csv")):
        with table.open(newline="") as file:
            csv.field_size_limit(1 << 24)
            for row in csv.reader(file):
                for cell in row:
                    if RISKY.match(cell):
                        assert NUMBER.fullmatch(cell), (table.name, cell[:40])
                    seen.add(cell[:8])
    assert "'=HYPERL" in seen


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_are_strict_json(folders, name):
    def refuse(constant):
        raise AssertionError(constant)

    for run in folders:
        found = json.loads(EXPORTS[name](session.read(run)), parse_constant=refuse)
        assert isinstance(found, list | dict)


def test_two_hostile_runs_compare(folders, tmp_path, capsys):
    assert len(folders) == len(TEXTS) + 1
    for base, new in pairwise(folders):
        with pytest.raises(Exception, match="0"):  # typer's Exit, with its code
            compare.command(base, new, page=tmp_path / "page.html")
        assert "<script>window" not in (tmp_path / "page.html").read_text()
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[1]",
        '"text"',
        "null",
        '{"schema": "tribench/run/9"}',
        '{"schema": ["\\u001b[2J"]}',
        '{"schema": "' + "x" * 100_000 + '"}',
        '{"\\ud800": 1}',
        '{"seeds": [' + "9" * 5000 + "]}",
        '{"seeds": [NaN]}',
        "\x00",
        "\ufeff{}",
    ],
)
@pytest.mark.parametrize("name", ["manifest.json", "environment.json", "records.jsonl"])
def test_what_is_no_run_is_refused_in_a_line_or_shown(tmp_path, name, text, capsys):
    run = stored_sample(tmp_path)
    (run / SEAL).unlink()
    (run / name).write_text(text, "utf-8")
    refusal = _refused(run)
    assert refusal or "Damaged: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["seconds", "steps", "round", "batch_size", "test_loss", "process"]
)
@pytest.mark.parametrize("number", ["1e308", "-1", "5e-324", str(2**53 - 1)])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_numbers_that_no_run_has_are_shown_or_refused(tmp_path, name, number, capsys):
    """Whatever the checksum says: an enemy can make one."""
    run = stored_sample(tmp_path)
    for file in (SEAL, "page.html"):
        (run / file).unlink()
    changes, lines = 0, []
    for line in (run / "records.jsonl").read_text().splitlines():
        data = json.loads(line)
        data.pop("checksum")
        text, count = re.subn(rf'("{name}": )[-\d.e]+', rf"\g<1>{number}", json.dumps(data))
        changes += count
        changed = json.loads(text)
        lines.append(json.dumps(changed | {"checksum": checksum(changed)}))
    assert changes
    (run / "records.jsonl").write_text("\n".join(lines) + "\n")
    refusal, shown = _refused(run), capsys.readouterr().out
    if refusal is None:  # every cell is there, with what it has
        page = (run / "page.html").read_text()
        for cell in session.read(run).manifest.cells:
            assert f"{cell.task} {cell.phase}" in shown
            assert cell.task in page
        assert not re.search(r"\b(nan|inf)\b", shown)


def _refused(run):
    """The line that refuses it; none if pages were made."""
    try:
        report.command([run])
    except StoreError as error:
        said = str(error)
        if not (said.isprintable() and len(said) < 500):
            raise AssertionError(f"no line: {said!r}") from error
        return said
    return None


def test_the_texts_are_harmful():
    assert len(TEXTS) > 20
