"""Adapters whose times are of something else than their task says get no verdict, and are told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

RUN = (*("run", "--task", "rnn-tiny", "--launches", "1", "--seeds", "0"), "--output", "runs")
NEW = r"a batch that the program has met takes .* times less than new ones"
SIZE = r"with a batch of 128: "
STANDING = (
    "implausible",
    "same",
    r"timing: \d+ of \d+ steps over one batch left parameters",
)
PREDICTED = {  # backend: status, parity, and what is told where
    "honest": ("ok|disturbed", "same", None),
    "slow": ("ok|disturbed", "same", None),
    "zerolstm": (
        "ok|disturbed",
        "different",
        rf"predictions {SIZE}layer fc; .* of predictions/logits",
    ),
    "nanlinear": ("failed", "same", "timing: the result of the last step is not finite"),
    "remembering": ("implausible", "same", rf"timing: {NEW}"),
    "prepared": (
        "implausible",
        "same",
        r"timing: a batch that is put on the device at the present parameters takes .* less",
    ),
    "beforehand": ("failed", "different", rf"predictions {SIZE}layer fc"),
    "oneplace": ("failed", "same", r"timing: a prediction is not what the program gave"),
    "stale": ("failed|ok|disturbed", "different", rf"predictions {SIZE}layer fc"),
    "unawaited": ("failed", "same", r"timing: wait\(\) returned .* and work went on for"),
    "lazy": ("failed", "same", r"timing: wait\(\) returned .* and work went on for"),
    "constants": (
        "ok|disturbed",
        "different",
        r"layer fc, in predictions after its training, not in those from its parameters",
    ),
    "slowclock": ("implausible", "same", r"timing: the worker's clock goes at 0\.7 times"),
    "patchedtime": ("ok|disturbed", "same", None),
}
TRAINED = {
    "honest": ("ok|disturbed", "same", None),
    "detached": (
        "ok|disturbed",
        "different",
        rf"a step of training {SIZE}parameter lstm\.",
    ),
    "constantloss": ("ok|disturbed", "different", rf"a step of training {SIZE}loss"),
    "idle": ("ok|disturbed", "different", rf"a step of training {SIZE}parameter fc\.bias"),
    "everyother": (
        "ok|disturbed",
        "different",
        rf"a step of training {SIZE}parameter",
    ),
    "planned": ("implausible", "same", rf"timing: {NEW}"),
    "uncorrected": (
        "ok|disturbed",
        "different",
        rf"a step of training {SIZE}optimizer .* of update/",
    ),
    "unwatched": (
        "implausible",
        "same",
        r"timing: \d+ steps in a row .* off by 0\.\d+ of their way",
    ),
    "freezing": STANDING,
    "fromeleven": STANDING,
    "halflinear": ("ok|disturbed", "different", rf"a step of training {SIZE}(loss|parameter)"),
    "onesample": ("ok|disturbed", "different", rf"a step of training {SIZE}parameter fc\.bias"),
}
HONEST = {"honest", "slow", "patchedtime"}


@pytest.fixture(scope="module")
def runs(tribench, checkout, tmp_path_factory):
    """By phase: the process, and the summary."""
    found = {}
    for phase, expected in (("infer", PREDICTED), ("train", TRAINED)):
        folder = tmp_path_factory.mktemp(phase)
        backends = ("--backend", ",".join(expected), "--phase", phase)
        done = tribench(
            *RUN, *backends, plugins=("cheating",), folder=folder, root=checkout, once=True
        )
        (run,) = Path(folder, "runs").iterdir()
        found[phase] = (done, json.loads((run / "summary.json").read_text()))
    return found


@pytest.mark.parametrize(
    ("phase", "backend"),
    [*(("infer", name) for name in PREDICTED), *(("train", name) for name in TRAINED)],
)
def test_it_is_told(runs, phase, backend):
    status, parity, words = (PREDICTED if phase == "infer" else TRAINED)[backend]
    _, summary = runs[phase]
    (cell,) = [cell for cell in summary["cells"] if cell["backend"] == backend]
    assert re.fullmatch(status, cell["status"]), cell["reason"]
    assert cell["parity"] == parity
    wrong = [r for r in summary["parity"] if r["backend"] == backend and r["verdict"] != "same"]
    told = [cell["reason"] or "", *(result["reason"] for result in wrong)]
    assert words is None or any(re.search(words, each) for each in told), told
    if parity == "different" and backend != "constants":
        assert 128 in {result["batch_size"] for result in wrong}


def test_none_gets_a_verdict(runs):
    assert runs.keys() == {"infer", "train"}
    for done, summary in runs.values():
        assert done.returncode == 1, done.stderr
        assert summary["comparisons"]
        judged = [pair for pair in summary["comparisons"] if pair["verdict"] is not None]
        assert {name for pair in judged for name in (pair["base"], pair["new"])} <= HONEST


def test_an_honest_cell_stays_below_the_ceiling(runs):
    """A cheat's ceiling is nobody's."""
    _, summary = runs["infer"]
    shares = {cell["backend"]: cell["of_ceiling"] for cell in summary["cells"]}
    assert 0.001 < shares["honest"] < 1
    assert {one["backend"] for one in summary["ceilings"]} >= {"honest", "slow"}
    rates = [one["matmul_flops_per_second"] for one in summary["ceilings"]]
    assert all(rate is None or rate < 1e13 for rate in rates)


def test_a_clock_of_the_adapters_times_nothing(runs):
    """It goes at a tenth of the pace."""
    _, summary = runs["infer"]
    rates = {cell["backend"]: cell["samples_per_second"] for cell in summary["cells"]}
    assert rates["patchedtime"] < 4 * rates["honest"]


def test_what_is_evaluated_is_what_was_trained(tribench, checkout, tmp_path):
    """The scores after a training are those of its checkpoint, and to evaluate changes nothing."""
    asked = ("run", "--task", "rnn-tiny", "--launches", "1", "--seeds", "1", "--output", "runs")
    backends = ("--backend", "honest,polished,forgetting", "--phase", "train")
    done = tribench(*asked, *backends, plugins=("cheating",), folder=tmp_path, root=checkout)
    assert done.returncode == 1, done.stderr
    (run,) = (tmp_path / "runs").iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert [each["backend"] for each in summary["trainings"]] == ["honest"]
    told = "\n".join(summary["failures"])
    words = r"after the training \d+ of 114 test samples are right .* from its parameters \d+ are"
    assert re.search(rf"polished.*{words}", told), told
    assert re.search("forgetting.*to predict changes the state of rnn-tiny", told), told
