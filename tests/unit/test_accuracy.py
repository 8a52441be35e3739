"""What trainings say together, and what is kept of one that is killed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from suite import catalogue
from suite.accuracy.checkpoint import Checkpoint, Progress
from suite.accuracy.equivalence import MARGIN, paired, seeds_needed, verdict
from suite.accuracy.exchange import ALLOWANCE, compared
from suite.accuracy.learning import learning, rounding
from suite.accuracy.lines import CLASSIFIERS, lines
from suite.accuracy.metrics import accuracy, macro_f1
from suite.material import Material
from suite.store.schema import Training

TRIALS = 2000
TWO_ERRORS = 2 * (0.05 * 0.95 / TRIALS) ** 0.5


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_macro_f1_is_scikit_learns(pairs):
    truth, guessed = zip(*pairs, strict=True)
    confusion = np.zeros((5, 5), int)
    np.add.at(confusion, (truth, guessed), 1)
    assert macro_f1(confusion.tolist()) == pytest.approx(
        f1_score(truth, guessed, average="macro", zero_division=0)
    )
    assert accuracy(confusion.tolist()) == np.mean(np.equal(truth, guessed))


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_two_arms_at_the_margin_are_rarely_called_equivalent(seeds):
    differences = np.random.default_rng(1).normal(MARGIN, 0.005, (TRIALS, seeds))
    said = [verdict(paired(list(each))) for each in differences]
    assert said.count("EQUIVALENT") / TRIALS <= 0.05 + TWO_ERRORS


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_two_arms_that_learn_the_same_are_rarely_called_different(seeds):
    differences = np.random.default_rng(2).normal(0, 0.02, (TRIALS, seeds))
    found = [paired(list(each)) for each in differences]
    assert [verdict(each) for each in found].count("DIFFERENT") / TRIALS <= 0.05 + TWO_ERRORS
    covered = sum(each.low <= 0 <= each.high for each in found) / TRIALS
    assert covered == pytest.approx(0.95, abs=2 * TWO_ERRORS)


def test_verdicts_of_clear_cases():
    assert verdict(paired([0.001, -0.002, 0.0, 0.001, -0.001])) == "EQUIVALENT"
    assert verdict(paired([0.05, 0.06, 0.055, 0.05, 0.045])) == "DIFFERENT"
    assert verdict(paired([0.05, -0.06, 0.0, 0.04, -0.03])) == "INCONCLUSIVE"
    assert verdict(paired([0.5])) == "INCONCLUSIVE"
    assert verdict(paired([0.0, 0.0])) == "EQUIVALENT"
    assert verdict(paired([0.1, 0.1])) == "DIFFERENT"
    # Beyond chance and of no consequence: EQUIVALENT, as with speed.
    assert verdict(paired([0.005, 0.006, 0.0055, 0.005, 0.0045])) == "EQUIVALENT"
    # One of ten pairs: adjusted, it may be chance.
    assert verdict(paired([0.05, 0.06, 0.055, 0.01, 0.1]), p_different=0.2) == "INCONCLUSIVE"
    with pytest.raises(ValueError, match="no seeds"):
        paired([])


@given(st.lists(st.floats(-0.1, 0.1), min_size=2, max_size=8))
def test_swapping_the_arms_turns_the_difference_around(differences):
    there, back = paired(differences), paired([-each for each in differences])
    assert there.mean == pytest.approx(-back.mean)
    assert (there.low, there.high) == (pytest.approx(-back.high), pytest.approx(-back.low))
    assert verdict(there) == verdict(back)


def test_as_many_seeds_as_are_said_to_be_needed_settle_it_four_times_of_five():
    rng = np.random.default_rng(3)
    pilot = [0.03, -0.025, 0.01, -0.02, 0.005]
    count = seeds_needed(pilot)
    assert 5 < count < 60
    spread = float(np.std(pilot, ddof=1))
    for number, least, most in ((count, 0.7, 0.95), (count // 2, 0.0, 0.7)):
        runs = rng.normal(float(np.mean(pilot)), spread, (TRIALS, number))
        settled = sum(verdict(paired(list(run))) != "INCONCLUSIVE" for run in runs)
        assert least <= settled / TRIALS <= most
    assert seeds_needed([0.1]) is None
    assert seeds_needed([0.0, 0.0, 0.0]) == 2


def training(backend: str, seed: int, share: float, **more) -> Training:
    told = {
        "task": "t",
        "execution": "eager",
        "precision": "float32",
        "device": "cpu",
        "epochs": 1,
        "steps": 1,
        "batch_size": 1,
        "seconds": 1.0,
        "losses": [1.0],
        "validation_accuracies": [share],
        "test_loss": 1.0,
        "test_correct": round(1000 * share),
        "test_samples": 1000,
        "data_hash": "a",
    }
    return Training(backend=backend, seed=seed, test_accuracy=share, **(told | more))


def test_seeds_are_paired_and_other_data_or_starts_are_not_compared():
    shares = [0.90, 0.95, 0.91]
    mine = [training("a", seed, share) for seed, share in enumerate(shares)]
    theirs = [training("b", seed, share + 0.001) for seed, share in enumerate(shares)]
    theirs += [training("b", 3, 0.1), training("b", 0, 0.2, start="one ulp")]
    mine += [training("a", 3, 0.9, data_hash="b")]
    (found,) = learning([*mine, *theirs])
    assert (found.base, found.new, found.seeds) == ("a", "b", 3)
    assert found.difference == pytest.approx(0.001)
    assert found.verdict == "EQUIVALENT"
    assert found.seeds_needed is None
    (moved,) = rounding([*mine, *theirs])
    assert (moved.backend, moved.seeds) == ("b", 1)
    assert moved.difference == pytest.approx(0.901 - 0.2)


def test_one_seed_says_nothing_and_two_say_how_many_more():
    (one,) = learning([training("a", 0, 0.9), training("b", 0, 0.9)])
    assert (one.verdict, one.low, one.seeds_needed) == ("INCONCLUSIVE", None, None)
    pair = [training(b, s, 0.9 + d) for b, s, d in (("a", 0, 0), ("b", 0, 0.01))]
    pair += [training(b, s, 0.9 + d) for b, s, d in (("a", 1, 0), ("b", 1, -0.015))]
    (two,) = learning(pair)
    assert two.verdict == "INCONCLUSIVE"
    assert two.seeds_needed > 2


def test_predictions_that_rounding_explains_are_listed_and_others_are_wrong():
    right = np.array([[1.0, 0.0], [0.5, 0.5 + 1e-6], [0.0, 2.0], [3.0, 1.0]])
    assert compared(right, right, 1e-7)["disagreements"] == []
    swapped = right[:, ::-1].copy()
    swapped[[0, 2]] = right[[0, 2]]
    found = compared(right, swapped, 1e-7)
    assert [(d.sample, d.margin) for d in found["disagreements"]] == [
        (1, pytest.approx(1e-6)),
        (3, 2.0),
    ]
    assert found["wrong"] == 1
    assert 2 * ALLOWANCE * 1e-7 > 1e-6  # so that only the last is
    assert found["error"] == 2.0


class TestCheckpoint:
    @pytest.fixture
    def files(self, tmp_path):
        files = Checkpoint(tmp_path / "checkpoints", "t-torch-eager-float32-0")
        files.prepare()
        return files

    @staticmethod
    def epoch(files: Checkpoint, progress: Progress, until: str = "") -> None:
        progress.losses.append(0.5)
        progress.epoch_seconds.append(1.0)
        files.state(progress.epochs).write_bytes(b"state")
        if until != "state":
            files.write(progress)

    def test_what_is_finished_is_read_back(self, files):
        assert files.read() == Progress()
        progress = Progress()
        for _ in range(3):
            self.epoch(files, progress)
        assert files.read() == progress
        assert [path.name for path in files.folder.glob("*.npz")] == [files.state(3).name]

    def test_killed_between_state_and_note_the_epoch_is_done_again(self, files):
        progress = Progress()
        self.epoch(files, progress)
        self.epoch(files, progress, until="state")
        assert files.read().epochs == 1
        assert files.state(1).exists()

    @pytest.mark.parametrize("damage", ["", "{", "[]", '{"losses": 3', '{"other": []}'])
    def test_a_damaged_note_begins_anew(self, files, damage):
        self.epoch(files, Progress())
        next(files.folder.glob("*.json")).write_text(damage)
        assert files.read() == Progress()

    def test_a_note_without_its_state_begins_anew(self, files):
        self.epoch(files, Progress())
        files.state(1).unlink()
        assert files.read() == Progress()

    def test_the_end_alone_is_kept(self, files):
        progress = Progress()
        self.epoch(files, progress)
        files.final.write_bytes(b"end")
        files.finish(progress)
        assert [path.name for path in files.folder.iterdir()] == [files.final.name]
        assert json.dumps(files.read().losses) == "[]"


def test_reference_lines_are_of_the_same_split(tmp_path):
    task = catalogue.tasks()["rnn-tiny"]
    found = lines(Material(task, 0, tmp_path))
    assert [line.model for line in found] == list(CLASSIFIERS)
    for line in found:
        assert line.test_samples == 114
        assert 0.9 < line.test_accuracy <= 1
        assert 0.9 < line.test_macro_f1 <= 1
    assert found == [
        again.model_copy(update={"seconds": line.seconds})
        for again, line in zip(lines(Material(task, 0, tmp_path)), found, strict=True)
    ]
