"""What goes wrong costs what it must and nothing else, and stands in the summary, the terminal and
the page as what it is. Real processes, the real command line, adapters told to fail.
"""

from __future__ import annotations

import html
import json
import os
import re
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from suite.records.schema import PhaseRecord
from suite.store.directory import RunDirectory
from tests.conftest import TEMPORARY, command_environment, write_script

PLUGINS = ("scripted",)
RUN = ("run", "--task", "rnn-tiny", "--output", "runs", "--launches", "1")
ONE = (*RUN, "--backend", "scripted,rival")
SHORT = 5  # seconds; a scripted worker starts within one

SCRIPT = {
    "scripted": {},
    "hanging": {"do": "hang", "in": "train", "at": 26},
    "greedy": {"do": "allocate", "in": "train", "at": 26},
    "garbling": {"do": "no json", "in": "train", "at": 26},
    "babbling": {"do": "babble", "at": 18},
    "diverging": {"not_finite": "training"},
    "derailing": {"not_finite": "evaluation"},
    "overflowing": {"not_finite": "logits"},
    "unstable": {"not_finite": "capture"},
    "recompiling": {"recompile": True},
    "jumping": {"jump": {"at": 54, "clock": "wall", "seconds": 3600}},
    "slipping": {"jump": {"at": 54, "clock": "monotonic", "seconds": -3600}},
}
FAILED = {  # what the train cell says
    "hanging": r"timing: the worker gave no answer to block within 5 s and was ended; "
    r"see hanging-0\.log",
    "greedy": r"timing: out of memory: MemoryError: Unable to allocate 256\.? MiB .*"
    r"see greedy-0\.log",
    "garbling": r"timing: the worker sent a line that is not JSON as its answer to block and was "
    r"ended; see garbling-0\.log",
    "diverging": r"timing: the result of the last step is not finite",
    "derailing": r"accuracy: the validation loss or a logit of rnn-tiny is not finite .*",
    "overflowing": r"accuracy: the validation loss or a logit of rnn-tiny is not finite .*",
    "recompiling": r"timing: compiled anew in every block: (\d+) of \1",
}
PADDING = "x" * 300_000
VOID = r"\d+ of \d+ blocks do not count: (disturbed, measured again, )?the clock jumped"
BUSY = r"\d+ of \d+ blocks do not count: disturbed, measured again"


def only_run(folder: Path) -> Path:
    (found,) = (folder / "runs").iterdir()
    return found


def summary_of(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def spoilt(tribench, checkout, tmp_path_factory):
    """One run in which everything goes wrong at once, and one arm is healthy."""
    folder = tmp_path_factory.mktemp("spoilt")
    done = tribench(
        *(*RUN, "--backend", ",".join(SCRIPT)),
        *("--worker-timeout", str(SHORT), "--worker-memory", "2"),
        script=SCRIPT,
        plugins=PLUGINS,
        folder=folder,
        root=checkout,
    )
    return only_run(folder), done


def cells_of(run: Path) -> dict[tuple[str, str], dict]:
    return {(c["backend"], c["phase"]): c for c in summary_of(run)["cells"]}


def test_the_run_ends_with_every_failure_told_and_no_traceback(spoilt):
    run, done = spoilt
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert summary_of(run)["complete"]


@pytest.mark.parametrize("backend", FAILED)
def test_a_failure_is_told_in_the_summary_the_terminal_and_the_page(backend, spoilt):
    run, done = spoilt
    cell = cells_of(run)[backend, "train"]
    assert cell["status"] == "failed"
    told = re.sub(f"; {BUSY}$", "", cell["reason"])
    assert re.fullmatch(FAILED[backend], told), told
    reason = told.partition(": ")[2]
    assert any(backend in line and reason in line for line in summary_of(run)["failures"])
    assert reason in flat(done.stdout)
    assert html.escape(reason) in (run / "page.html").read_text()
    assert reason.partition(";")[0] in (run / "tables" / "cells.csv").read_text()


def test_the_other_cells_are_measured(spoilt):
    cells = cells_of(spoilt[0])
    for (backend, phase), cell in cells.items():
        if phase == "infer" and backend not in ("recompiling", "overflowing"):
            assert (backend, cell["status"]) == (backend, "ok"), cell["reason"]
        if cell["status"] == "ok":
            assert cell["step_seconds"]["value"] == pytest.approx(0.01)
            assert cell["memory"]["process"] > 0
    assert cells["scripted", "train"]["status"] == "ok"
    assert cells["scripted", "train"]["accuracy"] > 0.8
    assert cells["overflowing", "infer"]["reason"].startswith("timing: the result of the last step")


@pytest.mark.parametrize("backend", ["jumping", "slipping"])
def test_a_block_in_which_a_clock_jumped_does_not_count(backend, spoilt):
    run, done = spoilt
    cell = cells_of(run)[backend, "train"]
    assert cell["status"] == "ok"
    assert re.fullmatch(VOID, cell["reason"])
    assert cell["step_seconds"]["value"] == pytest.approx(0.01)
    assert cell["step_seconds"]["high"] == pytest.approx(0.01)
    blocks = [
        record
        for record in map(json.loads, (run / "records.jsonl").read_text().splitlines())
        if record["kind"] == "block"
        and record["cell"]["backend"] == backend
        and record["cell"]["phase"] == "train"
    ]
    assert cell["blocks"] == len([block for block in blocks if not block["void"]])
    (void,) = (block for block in blocks if block["void"] == "the clock jumped")
    assert (void["seconds"] < 0) == (backend == "slipping")
    assert cell["reason"] in flat(done.stdout)
    page = (run / "page.html").read_text()
    assert cell["reason"] in page
    assert re.search(r'"void": ?\[[^]]*"the clock jumped"', page)  # beside the block's sample


def test_what_a_worker_prints_goes_to_its_log_and_hurts_nobody(spoilt):
    run, done = spoilt
    cells = cells_of(run)
    assert {cells["babbling", phase]["status"] for phase in ("train", "infer")} == {"ok"}
    log = (run / "logs" / "babbling-0.log").read_bytes()
    assert log.count(bytes(range(256)) * 16) == 4  # on two outputs, in two phases
    assert "\x07" not in done.stdout


def test_no_worker_outlives_the_run(spoilt):
    links = [fd for p in Path("/proc").glob("[0-9]*") for fd in [p / "fd" / "1"]]
    assert not [fd for fd in links if str(spoilt[0]) in _target(fd)]


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def test_parity_of_what_is_not_finite_is_different(spoilt):
    run, _ = spoilt
    parity = {(r["backend"], r["precision"]): r for r in summary_of(run)["parity"]}
    for backend in ("derailing", "overflowing", "unstable"):
        result = parity[backend, "float64"]
        assert result["verdict"] == "different"
        assert "not finite" in result["reason"]
        assert result["reason"] in (run / "page.html").read_text()
    assert parity["scripted", "float64"]["verdict"] == "same"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--worker-timeout", "0"), ("--worker-timeout", "nan"), ("--worker-memory", "-1")],
)
def test_limits_must_be_positive(option, value, tribench, tmp_path):
    done = tribench("run", option, value, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"tribench: {option} (={value}) must be more than 0")
    assert not list(tmp_path.iterdir())


# A full disk


@pytest.fixture(scope="module")
def whole(tribench, checkout, tmp_path_factory):
    """A run with room enough; it also leaves no module to be compiled under a limit."""
    folder = tmp_path_factory.mktemp("whole")
    done = tribench(*ONE, script={}, plugins=PLUGINS, folder=folder, root=checkout)
    assert done.returncode == 0, done.stderr
    return only_run(folder)


def limited(size_bytes: int) -> dict:
    """No file may become larger than this, as on a full disk."""
    both = (size_bytes, resource.RLIM_INFINITY)
    return {"preexec_fn": partial(resource.setrlimit, resource.RLIMIT_FSIZE, both)}


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """What a run says that a full disk has ended."""
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("tribench: ")
    assert "cannot be written: File too large" in line
    return line


def results_of(run: Path) -> list:
    """A summary without what differs from run to run."""
    cells = summary_of(run)["cells"]
    assert cells
    for cell in cells:
        assert cell.pop("memory")["process"] > 0
        cell.pop("cpu_seconds")  # its clock is the system's
        if re.fullmatch(
            BUSY, cell["reason"] or ""
        ):  # by what ran beside this test, and nothing else
            cell["reason"] = None
    return [cells, summary_of(run)["comparisons"], summary_of(run)["notes"]]


def all_inputs() -> set[Path]:
    """What runs have left in the folder for temporary files."""
    return set(Path(TEMPORARY.name).glob("tribench-*/*"))


def test_a_run_that_cannot_begin_leaves_nothing(whole, tribench, checkout, tmp_path):
    more = limited(500)
    done = tribench(
        *(*ONE, "--quiet"), script={}, plugins=PLUGINS, folder=tmp_path, root=checkout, **more
    )
    assert "manifest.json" in one_line(done)
    assert "--resume" not in done.stderr
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_full_disk_ends_the_run_and_resume_finishes_it(whole, tribench, checkout, tmp_path):
    run_in = partial(tribench, script={}, plugins=PLUGINS, folder=tmp_path, root=checkout)
    before = all_inputs()
    said = one_line(run_in(*ONE, "--quiet", **limited(20_000)))
    run = only_run(tmp_path)
    again = ("run", "--resume", f"runs/{run.name}")
    assert "rnn-tiny-0-data.npz" in said
    assert said.endswith(f"go on with: tribench {' '.join(again)}")
    records = run / "records.jsonl"
    with RunDirectory(run) as store:  # much that was not finished, so that the records are longest
        store.append(PhaseRecord(unit="x", attempt="x", phase="build", seconds=1, backend=PADDING))
    for room in (50, 6_000):
        limit = records.stat().st_size + room
        assert "records.jsonl" in one_line(run_in(*again, "--quiet", **limited(limit)))
        lines = records.read_bytes().splitlines(keepends=True)
        assert lines
        assert all(line.endswith(b"\n") and json.loads(line) for line in lines)
        assert records.stat().st_size <= limit
        assert not (run / "summary.json").exists()
        assert not json.loads((run / "manifest.json").read_text())["complete"]
    assert "page.html" in one_line(run_in(*again, "--quiet", **limited(1_000_000)))
    assert not list(run.rglob(".*")), "drafts are left"
    assert all_inputs() == before
    done = run_in(*again)
    assert done.returncode == 0, done.stderr
    assert results_of(run) == results_of(whole)


# Two at once


@pytest.fixture
def busy(checkout, tmp_path):
    """A run that is in the middle of its timing."""
    script = write_script(tmp_path, {"scripted": {"sleep": True, "step_seconds": 0.2}})
    process = subprocess.Popen(
        [sys.executable, "-m", "suite", *RUN, "--backend", "scripted"],
        cwd=tmp_path,
        env=command_environment(script, PLUGINS, checkout),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert any("timing" in line for line in process.stderr)
    yield process, only_run(tmp_path)
    process.kill()
    process.communicate()


def test_two_runs_do_not_share_a_machine(busy, tribench, checkout, tmp_path_factory):
    process, run = busy
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    run_in = partial(tribench, script={}, plugins=PLUGINS, folder=elsewhere, root=checkout)
    second = run_in(*ONE)
    assert second.returncode == 2
    (line,) = second.stderr.splitlines()
    assert f"process {process.pid}, {run}" in line
    assert [path.name for path in elsewhere.iterdir()] == ["script.json"]
    asked = run_in("parity", "--task", "rnn-tiny", "--backend", "scripted", "--json", "--quiet")
    assert asked.returncode == 0, asked.stderr
    process.send_signal(signal.SIGKILL)
    process.wait()
    freed = run_in("run", "--backend", "nobody")
    assert "no backend matches 'nobody'" in freed.stderr


def test_two_commands_do_not_share_a_run(busy, checkout):
    _, run = busy
    environment = command_environment(run.parents[1] / "script.json", PLUGINS, checkout)
    done = subprocess.run(
        [sys.executable, "-m", "suite", "run", "--resume", str(run)],
        cwd=run.parents[1],
        env=environment | {"TMPDIR": str(run.parents[1])},  # as another user or container
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"tribench: {run} is in use by another tribench\n"
