"""``tribench conformance`` finds the faults of third-party adapters, and names them."""

from __future__ import annotations

import json
import re
import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import ROOT

PLUGINS = ("faulty",)


@pytest.fixture(scope="module")
def tribench(tribench, torch_checkout):
    return partial(tribench, root=torch_checkout)


QUICKLY = ("--execution", "eager", "--precision", "float64", "--quiet")

# What fails, by check; all others pass.
PADDED = {"padded", "padded-causal"}
PADDINGS = ("ragged", "left", "holes", "none")
FAULTS = {
    "faulty": {"layer": {"norm"}, "program": PADDED | {"tied"}, "training": PADDED | {"tied"}},
    "sharing": {
        "ties": {"pool-7-2-2", "pool-8-2-2", "pool-8-3-2", "pool-7-3-1"}
        | {"pool-7-3-2-p1", "pool-8-3-1-p1", "pool-8-2-2-p1"},
        "program": {"images"},
        "loss": {"some-samples"},
    },
    "unpadded": {
        "layer": {f"{name}-{padding}" for name in ("lstm", "lstm-both") for padding in PADDINGS},
        "program": PADDED | {"named"},
        "training": PADDED | {"named"},
    },
    "undecayed": {
        "update": {"sgd-decay", "adamw-decay"},
        "training": {"images", "tied", *PADDED},
    },
    "uncorrected": {
        "update": {
            "adamw",
            *(f"adamw-{what}" for what in ("decay", "clip", "warmup", "milestones")),
            *(f"adamw-{what}" for what in ("inverse-square-root", "cosine")),
        },
        "training": PADDED | {"tied", "named"},
    },
    "forgetful": {"load_state": {"sgd", "adamw"}, "continue": {"sgd", "adamw"}},
    "restless": {
        "predict": {"images", "joined", "tied", "named", *PADDED},
        "capture": {"images", "joined", "tied", "named", *PADDED},  # a capture predicts too
        "apply_update": {"images", "tied", "named", *PADDED},
        "dropout": {"training"},  # what is dropped follows from the step
    },
}


@pytest.mark.parametrize("backend", FAULTS)
def test_a_fault_is_caught_by_name(backend, tribench):
    done = tribench("conformance", backend, *QUICKLY, "--json", plugins=PLUGINS)
    assert done.returncode == 1, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == "tribench/conformance/1"
    assert answer["backend"] == backend
    found: dict[str, set[str]] = {}
    for result in answer["results"]:
        assert (result["execution"], result["precision"]) == ("eager", "float64")
        assert (result["reason"] is None) == (result["verdict"] == "pass")
        if result["verdict"] != "pass":
            assert result["verdict"] == "fail", result
            found.setdefault(result["check"], set()).add(result["case"])
    assert found == FAULTS[backend]


def test_a_careful_adapter_passes_in_every_precision(tribench):
    done = tribench("conformance", "careful", "--execution", "eager", plugins=PLUGINS)
    assert done.returncode == 0, done.stdout + done.stderr
    line = done.stdout.strip()
    count = line.split()[1]
    assert line == f"careful: {count} checks, {count} passed"
    assert int(count) > 150
    for precision in ("float64", "float32", "bfloat16"):
        assert f"layer, careful eager in {precision}" in done.stderr


def test_what_is_not_supported_or_dies_costs_its_own_checks(tribench):
    done = tribench("conformance", "partial", *QUICKLY, "--json", plugins=PLUGINS)
    assert done.returncode == 1
    said, _, kept = done.stderr.strip().rpartition(" ")
    assert said == "tribench: a worker failed; what it printed is kept in"
    assert {path.name for path in Path(kept).iterdir()} >= {"partial-conformance.log"}
    shutil.rmtree(kept)
    results = json.loads(done.stdout)["results"]
    answers = {(result["check"], result["case"]): result for result in results}
    assert {result["verdict"] for result in results} == {"failed", "not_supported", "pass"}
    for (check, case), result in answers.items():
        if case.startswith("gelu"):
            assert result["verdict"] == "failed", result
            assert "the worker ended with exit code 3 during layer" in result["reason"]
        elif case.startswith("lstm") or (case in PADDED | {"named"} and check != "put"):
            assert result["verdict"] == "not_supported", result
            assert result["reason"] == "partial has no LSTM"
        else:
            assert result["verdict"] == "pass", result


def test_what_fails_is_a_table_with_the_reason(tribench):
    some = ",".join((*FAULTS["restless"], "put"))  # all that fails, and what passes
    done = tribench("conformance", "restless", *QUICKLY, "--check", some, plugins=PLUGINS)
    assert done.returncode == 1
    assert "after predict there is another step" in done.stdout
    assert done.stdout.strip().splitlines()[-1].endswith("18 failed")
    assert done.stderr == ""


def test_a_layer_that_does_not_say_that_it_averages_is_told_to(tribench, checkout, tmp_path):
    copy = tmp_path / "checkout"
    shutil.copytree(checkout, copy)
    (copy / ".nox").mkdir()
    (copy / ".nox" / "jax").symlink_to(ROOT / ".nox" / "jax")
    spec = copy / "tasks" / "spec" / "dense.py"
    said = "averages: ClassVar[bool] = True"
    assert said in spec.read_text()
    spec.write_text(spec.read_text().replace(said, "# nothing of averages"))
    asked = ("--check", "layer,offset", "--case", "norm", "--precision", "bfloat16")
    done = tribench("conformance", "jax", *asked, "--json", "--quiet", root=copy)
    assert done.returncode == 1, done.stdout + done.stderr
    verdicts = {r["check"]: r["verdict"] for r in json.loads(done.stdout)["results"]}
    assert verdicts == {"layer": "pass", "offset": "fail"}
    reason = json.loads(done.stdout)["results"][1]["reason"]
    assert re.match(r"output is \d\.\de-01 off, .*; 0\.1 is allowed; if LayerNorm takes", reason)
    assert "its spec must have averages = True" in reason


LEFT = r"wait\(\) returned \S+ ms after the first of \d+ steps was started, and work went on for "
CHANGED = r"what was there when wait\(\) returned was another later; "


@pytest.mark.parametrize(
    ("backend", "phases", "words"),
    [
        ("hasty-jax", {"train", "infer"}, LEFT),
        ("hasty-thread", {"train", "infer"}, LEFT),
        ("hasty-loss", {"train"}, LEFT),
        ("hasty-memory", {"train", "infer"}, CHANGED),
    ],
    ids=["jax", "thread", "loss", "memory"],
)
def test_a_wait_that_does_not_wait_is_caught(backend, phases, words, tribench, checkout):
    root = ROOT if backend == "hasty-jax" else checkout
    asked = ("conformance", backend, "--check", "wait", "--json", "--quiet")
    done = tribench(*asked, plugins=("hasty",), root=root)
    assert done.returncode == 1, done.stdout + done.stderr
    results = json.loads(done.stdout)["results"]
    assert {result["check"] for result in results} == {"wait"}
    failed = {result["case"] for result in results if result["verdict"] == "fail"}
    assert failed == phases, results
    for result in results:
        if result["verdict"] == "fail":
            assert re.match(words, result["reason"]), result


def test_dropout_that_draws_the_same_in_every_step_is_caught(tribench):
    asked = ("conformance", "frozen", *QUICKLY, "--check", "dropout,mask", "--json")
    done = tribench(*asked, plugins=PLUGINS)
    assert done.returncode == 1, done.stdout + done.stderr
    results = json.loads(done.stdout)["results"]
    verdicts = {(result["check"], result["case"]): result["verdict"] for result in results}
    assert verdicts.pop(("dropout", "training")) == "fail"
    assert {*verdicts.values()} == {"pass"}
    assert results[0]["reason"].startswith("the masks of steps 1 and 2 agree in 1.00 of 2048")


def test_an_execution_that_there_is_not_is_no_failure(tribench):
    asked = ("conformance", "jax", "--execution", "eager", "--json", "--quiet")
    done = tribench(*asked, root=ROOT)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert {result["verdict"] for result in results} == {"not_supported"}
    assert all("eager" in result["reason"] for result in results)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mxnet"], "no backend 'mxnet'; there are"),
        (["broken"], "broken is not available: ModuleNotFoundError: No module named 'tribench_f"),
        (["torch", "--precision", "tf32"], "no precision matches 'tf32'; there are float64, float"),
        (["torch", "--execution", "fast"], "no execution matches 'fast'; there are eager, comp"),
        (["torch", "--device", "tpu"], "no device 'tpu'; there are cpu, cuda"),
        (["torch", "--check", "wiat"], "no check matches 'wiat'; there are layer, offset, ties, "),
        (
            ["torch", "--check", "wait", "--precision", "float64"],
            "nothing to check: that is done in float32, and asked for is float64",
        ),
        (["torch", "--case", "nrom"], "no case matches 'nrom'; of "),
    ],
)
def test_wrong_use(arguments, words, tribench):
    done = tribench("conformance", *arguments, plugins=PLUGINS)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stdout == ""
