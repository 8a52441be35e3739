"""The doctor through the real command line: real workers, programs that are known."""

from __future__ import annotations

import json
import shutil
from functools import partial

import pytest


@pytest.fixture(scope="module")
def tribench(tribench, checkout):
    return partial(tribench, root=checkout)


def told(done):
    found = json.loads(done.stdout)
    assert found["schema"] == "tribench/doctor/1"
    return {answer["name"]: answer for answer in found["self_tests"]}, found


def test_it_measures_right_here(tribench):
    done = tribench("doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    tests, found = told(done)
    assert {name for name, test in tests.items() if test["verdict"] == "fail"} == set()
    assert tests["known sleep, train"]["values"]["measured"] == pytest.approx(
        tests["known sleep, train"]["values"]["account"], rel=0.01
    )
    assert tests["A/A"]["verdict"] == "warning"  # no framework in this checkout
    assert {answer["name"] for answer in found["machine"]} >= {"cores", "steal", "clock"}
    assert {answer["verdict"] for answer in found["machine"]} <= {"pass", "warning"}
    assert {answer["name"] for answer in found["frameworks"]} == {
        f"framework {name}" for name in ("torch", "jax", "tensorflow")
    }
    assert any("timing, launch 1: known train" in line for line in done.stderr.splitlines())


SLEEPS = {"known sleep, train", "known sleep, infer"}
PROGRAMS_LIE = {  # file: what stands there, and what in its place
    "doctor/known.py": {
        "np.ones(ALLOCATED_BYTES // 8)": "np.ones(ALLOCATED_BYTES // 9)",
        "self.steps * STEP_SECONDS": "self.steps * 0.9 * STEP_SECONDS",
    },
    "analysis/achieved.py": {'"train": 3': '"train": 2'},
}
SHORTER = {"doctor/machine.py": {"CORES_SECONDS = 10.0": "CORES_SECONDS = 0.5"}}  # no self-test's
HARNESS_LIES = {
    "analysis/times.py": {"record.seconds / record.steps": "record.seconds / (record.steps + 1)"}
}


@pytest.mark.parametrize(
    ("lies", "failing"),
    [
        (PROGRAMS_LIE, SLEEPS | {"known allocation", "known rates, train"}),
        (HARNESS_LIES, SLEEPS),
    ],
    ids=["programs", "harness"],
)
def test_it_finds_out_what_lies(tribench, checkout, tmp_path, lies, failing):
    copy = tmp_path / "checkout"
    shutil.copytree(checkout, copy)
    for name, changes in (lies | SHORTER).items():
        file = copy / "suite" / name
        text = file.read_text()
        for was, lie in changes.items():
            assert was in text, was
            text = text.replace(was, lie)
        file.write_text(text)
    done = tribench("doctor", "--launches", "0", "--json", "--quiet", root=copy)
    assert done.returncode == 1, done.stdout + done.stderr
    tests, _ = told(done)
    assert {name for name, test in tests.items() if test["verdict"] == "fail"} == failing
    assert "A/A" not in tests
    assert done.stderr == ""


def test_one_launch_is_wrong_use(tribench):
    done = tribench("doctor", "--launches", "1")
    assert done.returncode == 2
    assert "must be 0 or at least 2" in done.stderr
