"""A run that something happened to: what is wrong is named, what is left is shown and kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suite.commands import report
from suite.run import session
from suite.store import directory
from suite.store.directory import StoreError
from suite.store.seal import DATA, SEAL, is_sealed, read_seal
from tests.fixtures.stored_run import stored_sample

FILES = ("records.jsonl", "manifest.json", "environment.json", "summary.json", SEAL)
SHOWN = "torch is fastest"


def truncated(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def emptied(content: bytes) -> bytes:
    return b""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return stored_sample(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def run(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / whole.name))


def sums(run):
    return {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in run.rglob("*")
        if path.is_file() and path.name != "page.html"
    }


def damages(run):
    return session.read(run).damage


def test_the_seal_is_what_sha256sum_reads(run):
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", SEAL], cwd=run, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    named = {line.removesuffix(": OK") for line in done.stdout.splitlines()}
    tables = {f"tables/{path.name}" for path in (run / "tables").iterdir()}
    assert named == {*DATA, *tables}
    assert damages(run) == ()


def test_a_run_that_is_not_finished_has_no_seal(tmp_path):
    run = stored_sample(tmp_path, complete=False)
    assert not is_sealed(run)
    assert damages(run) == ()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [truncated, flipped, emptied])
def test_a_damaged_file_is_named_and_the_rest_is_shown_and_stays(run, capsys, name, damage):
    file = run / name
    file.write_bytes(damage(file.read_bytes()))
    before = sums(run)
    report.command([run])
    shown = " ".join(capsys.readouterr().out.split())
    page = (run / "page.html").read_text()
    for text in (shown, page):
        assert text.count(f"Damaged: {name}: ") == 1
        assert text.count("Damaged: ") == 1
        assert SHOWN in text
    assert sums(run) == before


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(run, name):
    (run / name).unlink()
    damage = damages(run)
    assert damage == (() if name == SEAL else (f"{name}: it is missing",))


@pytest.mark.parametrize("name", FILES[:3])
@pytest.mark.parametrize("damage", [truncated, emptied])
def test_a_run_without_a_seal_shows_what_can_be_read_too(run, name, damage):
    (run / SEAL).unlink()
    (run / name).write_bytes(damage((run / name).read_bytes()))
    read = session.read(run)
    assert [told.partition(":")[0] for told in read.damage] == [name]
    assert read.summary.cells


def test_where_nothing_is_left_that_is_said(run):
    for name in FILES:
        (run / name).write_bytes(b"")
    with pytest.raises(StoreError, match=r"holds nothing that can be shown \(SHA256SUMS: it is"):
        session.read(run)


def test_records_alone_tell_what_was_measured(run):
    measured = {c.arm for c in session.read(run).summary.cells if c.step_seconds}
    for name in ("manifest.json", "environment.json", "summary.json", SEAL):
        (run / name).write_bytes(b"{")
    read = session.read(run)
    assert {cell.arm for cell in read.summary.cells if cell.step_seconds} == measured
    assert (read.manifest.id, read.manifest.created) == (run.name, "2026-03-14T15:09:26+00:00")
    assert not read.manifest.complete  # nothing vouches for it


def test_the_sealed_summary_counts_where_records_are_lost(run):
    (run / "records.jsonl").write_bytes(b"")
    read = session.read(run)
    stored = json.loads((run / "summary.json").read_text())
    assert [cell.model_dump(mode="json") for cell in read.summary.cells] == stored["cells"]
    assert read.manifest.complete


def test_many_damaged_lines_are_one_sentence(run):
    file = run / "records.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"seconds"', b'"second"'))
    (told,) = damages(run)
    assert "lines were left out (1, 2, 3, ...): its checksum does not fit" in told


def test_a_table_that_was_changed_is_named(run):
    table = run / "tables" / "cells.csv"
    table.write_bytes(table.read_bytes() + b"more\r\n")
    assert damages(run) == ("tables/cells.csv: it is not as it was when the run was sealed",)


def test_making_the_report_of_a_whole_run_again_keeps_its_seal(run):
    (run / "summary.md").unlink()
    (run / SEAL).unlink()
    session.seal.seal(run)
    session.render(session.read(run))  # as a newer tribench would, with other tables
    assert damages(run) == ()
    assert "summary.md" in read_seal(run).sums


def test_a_seal_that_names_other_files_is_no_seal(run):
    body = f"{'0' * 64}  ../../secret\n"
    head = f"# tribench's seal: {hashlib.sha256(body.encode()).hexdigest()}\n"
    (run / SEAL).write_text(head + body)
    assert damages(run) == (f"{SEAL}: it names what is no data of a run",)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(name=st.sampled_from([*DATA, SEAL]), data=st.data())
def test_no_change_of_a_sealed_file_goes_unnamed(whole, tmp_path, name, data):
    run = tmp_path / directory.new_id()
    shutil.copytree(whole, run)
    content = bytearray((run / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    (run / name).write_bytes(bytes(content))
    seal = read_seal(run)
    if name == SEAL:
        assert seal.damaged
        assert not seal.sums
    else:
        assert list(seal.broken) == [name]


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_in_a_runs_place_is_told_and_not_waited_for(run, name):
    (run / name).unlink()
    os.mkfifo(run / name)
    assert damages(run)
