"""Whole runs through the real command line and real workers, with adapters told what to do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import QUIET, command_environment, write_script

SCRIPT = {
    "scripted": {"step_seconds": 0.02, "live": 1000},
    "rival": {"step_seconds": 0.04, "flops_per_second": 1.5e11},
}
SLEEPY = {name: told | {"sleep": True} for name, told in SCRIPT.items()}
ONLY = ("--backend", "scripted,rival", "--task", "rnn-tiny", "--output", "runs")
RUN = ("run", *ONLY, "--launches", "3")
PLUGINS = ("scripted",)


@pytest.fixture(scope="module")
def tribench(tribench, checkout):
    return partial(tribench, root=checkout)


def only_run(folder: Path) -> Path:
    (found,) = (folder / "runs").iterdir()
    return found


def summary_of(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


def records_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(tribench, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    label = "<script>window.hacked = 1</script>"
    done = tribench(*RUN, "--label", label, script=SCRIPT, plugins=PLUGINS, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done


def test_a_run_leaves_everything(finished):
    folder, done = finished
    run = only_run(folder)
    for name in ("manifest.json", "environment.json", "records.jsonl", "summary.json", "page.html"):
        assert (run / name).stat().st_size > 0, name
    assert json.loads((run / "manifest.json").read_text())["complete"]
    assert str(run / "page.html").endswith(done.stdout.strip().splitlines()[-1].split()[-1])
    for table in ("cells", "comparisons", "blocks"):
        csv = pd.read_csv(run / "tables" / f"{table}.csv")
        assert len(csv) == len(pd.read_parquet(run / "tables" / f"{table}.parquet")) > 0
    assert {p.name for p in (run / "logs").iterdir()} >= {"scripted-0.log", "rival-2.log"}


def test_the_told_times_come_out(finished):
    summary = summary_of(only_run(finished[0]))
    assert summary["schema"] == "tribench/run/1"
    cells = {(c["backend"], c["phase"]): c for c in summary["cells"]}
    assert {c["status"] for c in cells.values()} == {"ok"}
    for (backend, phase), cell in cells.items():
        told = SCRIPT[backend]["step_seconds"]
        assert cell["step_seconds"]["value"] == pytest.approx(told), phase
        assert cell["samples_per_second"] == pytest.approx(128 / told)
    train, infer = (
        next(c for c in summary["comparisons"] if c["phase"] == p) for p in ("train", "infer")
    )
    for comparison in (train, infer):
        slower = comparison["new"] == "rival"
        assert comparison["ratio"] == pytest.approx(2 if slower else 0.5)
        assert comparison["verdict"] == ("SLOWER" if slower else "FASTER")
        assert comparison["launches"] == 3
        assert comparison["paired"] is True


def test_compiling_is_timed_in_the_first_launch_alone(finished):
    phases = pd.read_csv(only_run(finished[0]) / "tables" / "phases.csv")
    assert set(phases.launch[phases.measured == "compile"]) == {0}
    assert set(phases.launch[phases.measured == "warmup"]) == {0, 1, 2}


def test_latencies_and_steps_with_the_way_to_the_device_come_out(finished):
    cells = summary_of(only_run(finished[0]))["cells"]
    assert len(cells) == 4
    for cell in cells:
        told = pytest.approx(SCRIPT[cell["backend"]]["step_seconds"])
        assert cell["fed_seconds"] == told
        wanted = {"p50": told, "p90": told, "p99": told} if cell["phase"] == "infer" else None
        assert cell["latency"] == wanted


def test_achieved_flops_stand_beside_the_devices_ceiling(finished):
    summary = summary_of(only_run(finished[0]))
    told = {c["backend"]: c["matmul_flops_per_second"] for c in summary["ceilings"]}
    assert told == pytest.approx({"scripted": 1e11, "rival": 1.5e11})
    assert all(c["copy_bytes_per_second"] > 1e8 for c in summary["ceilings"])
    # Two layers of 4 gates of hidden 8, of 10 and 8 inputs, in 3 steps, then 2 classes.
    sample = 3 * 2 * (32 * (10 + 8) + 32 * (8 + 8)) + 2 * 8 * 2
    assert len(summary["cells"]) == 4
    for cell in summary["cells"]:
        factor = 3 if cell["phase"] == "train" else 1
        rate = factor * 128 * sample / SCRIPT[cell["backend"]]["step_seconds"]
        assert cell["flops_per_second"] == pytest.approx(rate)
        assert cell["of_ceiling"] == pytest.approx(rate / 1.5e11)


def test_memory_is_labelled_and_never_zero(finished):
    cells = summary_of(only_run(finished[0]))["cells"]
    assert len(cells) == 4
    for cell in cells:
        assert cell["memory"]["live"] == (1000 if cell["backend"] == "scripted" else None)
        assert cell["memory"]["reserved"] is None
        assert cell["memory"]["process"] > 0


def test_accuracy_stands_with_its_number_of_samples(finished):
    cells = summary_of(only_run(finished[0]))["cells"]
    train = [c for c in cells if c["phase"] == "train"]
    assert len({c["accuracy"] for c in train}) == 1  # both compute what the reference computes
    assert all(c["test_samples"] == 114 and c["accuracy"] > 0.8 for c in train)


def test_orders_are_balanced_in_every_launch(finished):
    blocks = [r for r in records_of(only_run(finished[0])) if r["kind"] == "block"]
    for launch in range(3):
        for phase in ("train", "infer"):
            mine = [b for b in blocks if b["launch"] == launch and b["cell"]["phase"] == phase]
            firsts = [b["cell"]["backend"] for b in mine if b["position"] == 0]
            assert firsts.count("scripted") == firsts.count("rival") > 0
            assert len({b["steps"] for b in mine}) == 1


def test_json_is_alone_on_standard_output(tribench):
    done = tribench(*RUN[:-1], "1", "--json", script=SCRIPT, plugins=PLUGINS)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert {c["verdict"] for c in summary["comparisons"]} == {"INCONCLUSIVE"}
    lines = done.stderr.splitlines()
    assert any("timing, launch 1: rnn-tiny train" in line for line in lines)
    assert any("left]" in line for line in lines)


def test_quiet_is_quiet(tribench):
    done = tribench(*RUN[:-1], "1", "--json", "--quiet", script=SCRIPT, plugins=PLUGINS)
    assert done.stderr == ""


def test_nothing_personal_is_kept(finished):
    run = only_run(finished[0])
    text = "".join(
        (run / name).read_text() for name in ("manifest.json", "environment.json", "records.jsonl")
    )
    assert str(finished[0]) not in text
    assert os.path.dirname(sys.executable) not in text


def test_what_a_user_types_is_escaped_in_the_page(finished):
    page = (only_run(finished[0]) / "page.html").read_text()
    assert "<script>window.hacked" not in page
    assert "window.hacked" in page


def test_report_makes_the_same_page_again(finished, tribench):
    run = only_run(finished[0])
    before = (run / "page.html").read_text()
    (run / "page.html").unlink()
    done = tribench("report", str(run))
    assert done.returncode == 0, done.stderr
    assert (run / "page.html").read_text() == before


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ({"do": "die", "in": "train", "at": 20}, "killed by SIGKILL"),
        ({"do": "fail", "in": "train", "at": 20}, "MemoryError: told to run out of memory"),
    ],
)
def test_a_worker_lost_in_a_block_costs_its_own_cell(script, words, tribench, tmp_path):
    told = {**SCRIPT, "rival": SCRIPT["rival"] | script}
    done = tribench(*RUN, script=told, plugins=PLUGINS, folder=tmp_path)
    assert done.returncode == 1, done.stderr
    summary = summary_of(only_run(tmp_path))
    status = {(c["backend"], c["phase"]): (c["status"], c["reason"]) for c in summary["cells"]}
    assert status["rival", "train"][0] == "failed"
    assert words in status["rival", "train"][1]
    others = {key: value for key, value in status.items() if key != ("rival", "train")}
    assert {value[0] for value in others.values()} == {"ok"}
    assert words in done.stdout
    launches = {(c["backend"], c["phase"]): c["launches"] for c in summary["cells"]}
    assert launches["scripted", "train"] == launches["rival", "infer"] == 3
    assert summary["complete"]


def interrupted(folder: Path, root: Path, until: str, number: int) -> tuple[int, str]:
    """Start a run, send a signal when a line of progress says ``until``, wait for the end."""
    process = subprocess.Popen(
        [sys.executable, str(QUIET), *RUN],
        cwd=folder,
        env=command_environment(write_script(folder, SLEEPY), PLUGINS, root),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # What a script starts in the background ignores Ctrl-C, and so does all that it starts.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if until in line:
            time.sleep(1)
            process.send_signal(number)
            break
    lines += process.stderr.readlines()
    return process.wait(60), "".join(lines)


def finished_units(run: Path) -> dict[str, str]:
    return {
        r["unit"]: r["attempt"]
        for r in records_of(run)
        if r["kind"] == "phase" and r["phase"] == "unit"
    }


def test_ctrl_c_keeps_what_is_done_and_resume_finishes_it(tribench, checkout, tmp_path):
    code, text = interrupted(tmp_path, checkout, "timing, launch 2: rnn-tiny infer", signal.SIGINT)
    run = only_run(tmp_path)
    assert code == 130
    assert f"tribench run --resume runs/{run.name}" in text
    assert "Traceback" not in text
    partial = summary_of(run)
    assert partial["complete"] is False
    assert any("not complete" in note for note in partial["notes"])
    before = finished_units(run)
    done = tribench(
        "run", "--resume", f"runs/{run.name}", script=SCRIPT, plugins=PLUGINS, folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    after = finished_units(run)
    assert before.items() <= after.items()
    assert len(before) < len(after)
    whole = summary_of(run)
    assert whole["complete"] is True
    assert {c["launches"] for c in whole["cells"]} == {3}
    assert {c["blocks"] for c in whole["cells"]} == {18}
    assert all(c["status"] == "ok" and c["memory"]["process"] for c in whole["cells"])


def test_a_killed_run_can_be_resumed(tribench, checkout, tmp_path):
    code, _ = interrupted(tmp_path, checkout, "timing, launch 1: rnn-tiny infer", signal.SIGKILL)
    assert code == -signal.SIGKILL
    run = only_run(tmp_path)
    done = tribench("report", f"runs/{run.name}", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    done = tribench(
        "run", "--resume", f"runs/{run.name}", script=SCRIPT, plugins=PLUGINS, folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert {c["launches"] for c in summary_of(run)["cells"]} == {3}


def test_no_worker_outlives_a_killed_run(checkout, tmp_path):
    with (tmp_path / "held").open("w") as held:  # so that one that is left would be seen
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=held)
    assert _uses(Path("/proc", str(child.pid)), tmp_path)
    child.communicate(timeout=20)
    interrupted(tmp_path, checkout, "timing, launch 1: rnn-tiny infer", signal.SIGKILL)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        left = [p for p in Path("/proc").iterdir() if p.name.isdigit() and _uses(p, tmp_path)]
        if not left:
            return
        time.sleep(0.2)
    raise AssertionError(f"workers are left: {left}")


def _uses(process: Path, folder: Path) -> bool:
    try:
        return str(folder) in os.readlink(process / "fd" / "1")
    except OSError:
        return False


def test_a_finished_run_has_nothing_left_to_resume(finished, tribench):
    run = only_run(finished[0])
    before = finished_units(run)
    done = tribench("run", "--resume", str(run), script=SCRIPT, plugins=PLUGINS)
    assert done.returncode == 0, done.stderr
    assert finished_units(run) == before


def test_a_run_is_not_resumed_on_another_machine(finished, tribench, tmp_path):
    run = tmp_path / only_run(finished[0]).name
    shutil.copytree(only_run(finished[0]), run)
    (run / "SHA256SUMS").unlink()  # so that something is left to do
    file = run / "environment.json"
    here = json.loads(file.read_text())
    file.write_text(json.dumps(here | {"cpu": "Another", "memory_bytes": 2**30}))
    resume = partial(tribench, "run", "--resume", str(run), script=SCRIPT, plugins=PLUGINS)
    done = resume()
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "cannot be resumed: it was begun on another machine or with other settings" in line
    assert f"(cpu: Another, here {here['cpu']}; memory_bytes: {2**30}, here " in line
    file.write_text(json.dumps(here | {"memory_bytes": int(1.01 * here["memory_bytes"])}))
    assert resume().returncode == 0


def test_beside_other_work_cells_are_disturbed_and_nothing_is_ranked(tribench, tmp_path):
    script = {name: told | {"pressure": 0.77} for name, told in SCRIPT.items()}
    asked = ("--phase", "infer", "--seeds", "0", "--batch-size", "128")
    done = tribench(*RUN, *asked, script=script, plugins=PLUGINS, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = (
        "Something else ran beside 2 of 2 cells, up to 77 % of the time: 2 of them stayed so when "
        "measured again, and got no rank."
    )
    assert done.stdout.splitlines()[1] == told
    assert "No ranking: the machine was disturbed" in done.stdout
    assert not {"FASTER", "SLOWER"} & set(done.stdout.split())
    run = only_run(tmp_path)
    summary = summary_of(run)
    assert {c["status"] for c in summary["cells"]} == {"disturbed"}
    assert {c["verdict"] for c in summary["comparisons"]} == {"INCONCLUSIVE"}
    assert (summary["disturbed_cells"], summary["notes"][0]) == (2, told)
    assert told in (run / "page.html").read_text()
    assert f"**{told}**" in (run / "summary.md").read_text()
    blocks = [r for r in records_of(run) if r["kind"] == "block"]
    assert {(b["void"], b["disturbed"]) for b in blocks} == {
        ("disturbed, measured again", False),
        (None, True),
    }


def test_a_second_interpreter_of_a_backend_is_an_arm_of_the_same_run(tribench, tmp_path):
    python = f"={sys.executable}"
    done = tribench(
        *("run", "--backend", "scripted", "--task", "rnn-tiny", "--output", "runs"),
        *("--python", f"scripted{python}", "--python", f"scripted@old{python}", "--json"),
        script=SCRIPT,
        plugins=PLUGINS,
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert {cell["backend"] for cell in summary["cells"]} == {"scripted", "scripted@old"}
    assert {comparison["phase"] for comparison in summary["comparisons"]} == {"train", "infer"}
    for comparison in summary["comparisons"]:
        assert (comparison["base"], comparison["new"]) == ("scripted", "scripted@old")
        assert comparison["ratio"] == pytest.approx(1)
        assert comparison["verdict"] == "EQUIVALENT"
    command = json.loads((only_run(tmp_path) / "manifest.json").read_text())["command"]
    assert f"scripted@old={Path(sys.executable).name}" in command
    assert os.path.dirname(sys.executable) not in command


def test_one_phase_and_no_training(tribench, tmp_path):
    asked = ("--phase", "infer", "--seeds", "0")
    done = tribench(*RUN, *asked, script=SCRIPT, plugins=PLUGINS, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = summary_of(only_run(tmp_path))
    assert {(c["phase"], c["status"]) for c in summary["cells"]} == {("infer", "ok")}
    assert summary["trainings"] == []


def test_an_aa_arm_is_timed_beside_the_one_that_it_doubles(tribench, tmp_path):
    done = tribench(*RUN, "--aa", "rival", script=SCRIPT, plugins=PLUGINS, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = summary_of(only_run(tmp_path))
    twins = [cell for cell in summary["cells"] if cell["backend"] == "rival@aa"]
    assert {cell["phase"] for cell in twins} == {"train", "infer"}
    for cell in twins:
        assert cell["status"] == "ok"
        assert cell["parity"] == "same"
        assert (cell["memory"]["process"], cell["accuracy"]) == (None, None)
    found = {(c["phase"], c["base"], c["new"]): c for c in summary["comparisons"]}
    for phase in ("train", "infer"):
        assert found.pop((phase, "rival", "rival@aa"))["verdict"] == "EQUIVALENT"
        assert found.pop((phase, "rival", "scripted"))["verdict"] == "FASTER"
    assert not found
    assert "scripted is fastest" in done.stdout
    assert "--aa rival" in json.loads((only_run(tmp_path) / "manifest.json").read_text())["command"]


def test_wide_intervals_get_more_launches_and_narrow_ones_do_not(tribench, tmp_path):
    script = SCRIPT | {"rival": SCRIPT["rival"] | {"unsteady": "train"}}
    asked = ("--profile", "standard", "--execution", "eager", "--batch-size", "128", "--seeds", "1")
    done = tribench("run", *ONLY, *asked, script=script, plugins=PLUGINS, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 to 12 launches" in done.stderr
    summary = summary_of(only_run(tmp_path))
    assert summary["complete"] is True
    launches = {c["phase"]: c["launches"] for c in summary["comparisons"]}
    assert launches == {"train": 12, "infer": 5}


def test_a_time_budget_is_kept_and_what_it_left_out_can_be_done_later(tribench, tmp_path):
    slow = {"scripted": {"step_seconds": 1.5, "sleep": True}}
    one = ("run", "--backend", "scripted", "--task", "rnn-tiny", "--output", "runs")
    done = tribench(
        *(*one, "--launches", "2", "--seeds", "3", "--time-budget", "0.38"),
        script=slow,
        plugins=PLUGINS,
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 to 2 launches, 1 training; about 1 min, at most 0.38" in done.stderr
    assert "the time budget is used up; what is done is kept, go on with: tribench" in done.stderr
    run = only_run(tmp_path)
    partial = summary_of(run)
    assert partial["complete"] is False
    left = [cell for cell in partial["cells"] if cell["status"] == "not_available"]
    assert left or not partial["trainings"]
    done = tribench("run", "--resume", str(run), script=SCRIPT, plugins=PLUGINS, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    whole = summary_of(run)
    assert whole["complete"] is True
    assert {cell["status"] for cell in whole["cells"]} == {"ok"}
    assert len(whole["trainings"]) == 1  # of the three that were asked for
