"""A gate passes only what it has judged: ``tribench compare --fail-on-regression`` in this process,
of runs in which something is slower, gone, or not what it was.
"""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from suite.cli import app
from tests.fixtures.spoilt_run import Change, answered, ended, of, small_run, told, without

GATE = ("--fail-on-regression", "--json")
TRAIN = "cnn-tiny train ×16 jax compiled float32"
INFER = "cnn-tiny infer ×16 jax compiled float32"
KILLED = "out of memory: the worker ended with signal 9"
SPEC = {"cnn-tiny": {"spec": "another", "batch_size": 16}}


def halved(cell):
    return 0.5 if cell.backend == "jax" else 1.0


def doubled(cell):
    return 2.0 if (cell.backend, cell.phase) == ("jax", "train") else 1.0


@pytest.fixture
def gate(tmp_path):
    """``gate(*changes of NEW, base=changes of BASE, options=)``: exit code, comparison, lines."""

    def run(
        *changes: Change, base: tuple[Change, ...] = (), options=(), factor=lambda cell: 1.0
    ) -> tuple[int, dict, list[str]]:
        for name in ("base", "new"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
        small_run(tmp_path, "base", *base)
        small_run(tmp_path, "new", *changes, factor=factor)
        runs = (str(tmp_path / "base"), str(tmp_path / "new"))
        done = CliRunner().invoke(app, ["compare", *runs, *GATE, *options])
        assert isinstance(done.exception, SystemExit | None)
        return done.exit_code, json.loads(done.stdout), done.stderr.splitlines()

    return run


def jax(found: dict) -> dict[str, tuple]:
    """Verdict and reason of the backend that was tampered with, by phase."""
    return {
        each["phase"]: (each["verdict"], each["reason"])
        for each in found["changes"]
        if each["backend"] == "jax"
    }


def others(found: dict) -> set:
    return {each["verdict"] for each in found["changes"] if each["backend"] != "jax"}


def test_what_has_not_changed_passes_and_what_is_inconclusive_is_counted(gate):
    code, found, lines = gate(factor=lambda cell: 1.02)
    assert (code, lines, found["unjudged"]) == (0, [], [])
    verdicts = [each["verdict"] for each in found["changes"]]
    assert len(verdicts) == 10
    assert set(verdicts) <= {"EQUIVALENT", "INCONCLUSIVE"}
    assert found["inconclusive"] == verdicts.count("INCONCLUSIVE") > 0


def test_what_became_slower_is_named(gate):
    code, found, lines = gate(factor=doubled)
    assert code == 1
    (line,) = lines
    assert line.startswith(f"tribench: {TRAIN}: SLOWER, 2.0")
    assert jax(found)["train"] == ("SLOWER", None)


@pytest.mark.parametrize("timed", [False, True], ids=["before it was timed", "after"])
def test_a_cell_that_failed_stops_the_gate(gate, timed):
    code, found, lines = gate(
        ended(of("jax", "train"), "failed", KILLED, timed=timed), factor=halved
    )
    assert code == 1
    said = f"{TRAIN}: failed in NEW: timing: {KILLED}"
    assert lines == [f"tribench: {said}"]
    assert found["unjudged"] == [said]
    assert found["left_out"] == ([] if timed else [said])
    assert jax(found).get("train", (None,))[0] is None
    assert jax(found)["infer"] == ("FASTER", None)


@pytest.mark.parametrize(
    ("where", "change", "why"),
    [
        ("NEW", answered("jax", "different"), "parity different"),
        ("BASE", answered("jax", "different"), "parity different"),
        ("NEW", answered("jax", "precision_loss", "float32"), "parity precision loss"),
        ("NEW", answered("jax", None), "parity not known"),
        ("NEW", ended(of("jax"), "implausible", "too fast", timed=True), "implausible"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_times_that_may_be_of_something_else_get_no_verdict(gate, where, change, why):
    new = (change,) if where == "NEW" else ()
    base = (change,) if where == "BASE" else ()
    code, found, lines = gate(*new, base=base, factor=halved)
    assert code == 1
    assert {verdict for verdict, _ in jax(found).values()} == {None}
    assert all(reason.startswith(f"{why} in {where}") for _, reason in jax(found).values())
    assert [line.partition(f": {why} in {where}")[0] for line in lines] == [
        f"tribench: {TRAIN}",
        f"tribench: {INFER}",
    ]
    assert found["common"] == pytest.approx(1)
    assert others(found) == {"INCONCLUSIVE"}


def test_less_precision_in_float64_alone_is_judged_as_within_a_run(gate):
    code, found, lines = gate(answered("jax", "precision_loss"), factor=halved)
    assert (code, lines) == (0, [])
    assert jax(found) == {"train": ("FASTER", None), "infer": ("FASTER", None)}


def test_what_base_had_and_new_has_not_is_named_and_stops_the_gate(gate):
    code, _, lines = gate(without(of("jax")))
    assert code == 1
    assert lines == [f"tribench: {cell}: only in BASE" for cell in (TRAIN, INFER)]
    code, _, lines = gate(told("manifest.json", tasks=SPEC))
    assert code == 1
    assert f"tribench: {TRAIN}: another model or recipe" in lines
    assert lines[-1] == "tribench: nothing is left to compare"
    assert len(lines) == 11


def test_what_base_did_not_have_passes_and_is_told(gate):
    refused = ended(of("jax"), "not_supported", "no kernel")
    mended = ended(of("torch", "infer"), "failed", KILLED)
    code, found, lines = gate(refused, base=(refused, mended, without(of("tensorflow"))))
    assert (code, lines, found["unjudged"]) == (0, [], [])
    assert f"{TRAIN}: not supported in both: timing: no kernel" in found["left_out"]
    assert (
        f"cnn-tiny infer ×16 torch eager float32: failed in BASE: timing: {KILLED}"
        in (found["left_out"])
    )
    assert sum("only in NEW" in line for line in found["left_out"]) == 4
    code, found, lines = gate(refused)
    assert code == 1
    assert lines[0] == f"tribench: {TRAIN}: not supported in NEW: timing: no kernel"


def test_what_was_disturbed_is_inconclusive_as_within_a_run(gate):
    busy = ended(of("jax"), "disturbed", "something else ran", timed=True)
    code, found, lines = gate(busy, factor=doubled)
    assert (code, lines) == (0, [])
    why = "disturbed in NEW: timing: something else ran"
    assert jax(found)["train"] == ("INCONCLUSIVE", why)
    assert found["inconclusive"] == 10


def test_runs_that_are_not_comparable_stop_the_gate_unless_that_is_allowed(gate):
    cores = told("environment.json", cores=1)
    code, found, lines = gate(cores, without(of("tensorflow")), factor=halved)
    assert code == 1
    assert lines == ["tribench: NOT COMPARABLE: the runs differ in cores"]
    assert {each["verdict"] for each in found["changes"]} == {None}
    code, _, lines = gate(cores, factor=halved, options=("--allow-incomparable",))
    assert (code, lines) == (0, [])
    code, _, lines = gate(cores, without(of("jax")), options=("--allow-incomparable",))
    assert code == 1
    assert lines == [f"tribench: {cell}: only in BASE" for cell in (TRAIN, INFER)]


def test_nothing_to_compare_stops_the_gate(gate):
    everything = without(lambda cell: cell.backend != "jax")
    code, _, lines = gate(everything, base=(without(of("jax")), everything))
    assert (code, lines) == (1, ["tribench: nothing is left to compare"])


def test_where_no_cell_can_be_judged_nothing_is_said_of_all_together(tmp_path):
    for name in ("base", "new"):
        small_run(tmp_path, name, *(answered(b, None) for b in ("torch", "jax", "tensorflow")))
    runs = (str(tmp_path / "base"), str(tmp_path / "new"))
    done = CliRunner().invoke(app, ["compare", *runs])
    assert "0 slower, 0 faster, of 10 cells; 0 equivalent, 0 inconclusive; 10 not judged" in (
        " ".join(done.stdout.split())
    )
    assert "All cells together" not in done.stdout


def test_terminal_and_page_name_what_was_not_judged(tmp_path):
    small_run(tmp_path, "base")
    small_run(tmp_path, "new", ended(of("jax", "train"), "failed", KILLED), factor=halved)
    paths = [str(tmp_path / name) for name in ("base", "new", "page.html")]
    done = CliRunner().invoke(app, ["compare", *paths[:2], "--page", paths[2]])
    assert (done.exit_code, done.stderr) == (0, "")
    shown = " ".join(done.stdout.split())  # wrapped at the width of no terminal
    assert "0 slower, 1 faster, of 9 cells; 0 equivalent, 8 inconclusive; 1 not judged" in (shown)
    assert f"{TRAIN}: failed in NEW: timing: {KILLED}" in shown
    assert f"{TRAIN}: failed in NEW: timing: {KILLED}" in (tmp_path / "page.html").read_text()
