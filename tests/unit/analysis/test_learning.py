"""What trainings say together: pairs of seeds, and how many more are needed."""

from __future__ import annotations

from math import log

import pytest

from suite.analysis import words
from suite.analysis.learning import learning, rounding
from suite.records.schema import Training


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


def test_language_models_are_compared_by_bits_of_which_fewer_are_better():
    told = {"score": "bits_per_byte", "test_macro_f1": None}
    losses = [(2.0, 2.1), (2.01, 2.12), (1.99, 2.1), (2.02, 2.13)]
    trainings = [
        training(backend, seed, 0.4, test_loss=loss, bits_per_byte=loss / log(2), **told)
        for seed, pair in enumerate(losses)
        for backend, loss in zip("ab", pair, strict=True)
    ]
    (found,) = learning(trainings)
    assert (found.score, found.margin, found.verdict) == ("bits_per_byte", 0.02, "DIFFERENT")
    assert found.difference == pytest.approx(0.1075 / log(2))
    assert words.learning(found) == "b learns worse than a"
    assert words.apart_by(found).startswith("+0.155 (+0.1")
    same = [each.model_copy(update={"test_loss": 2.0 + 1e-3 * each.seed}) for each in trainings]
    (found,) = learning(same)
    assert (found.verdict, found.difference) == ("EQUIVALENT", 0.0)
    moved = [each.model_copy(update={"start": "one ulp", "test_loss": 2.05}) for each in same[:1]]
    (far,) = rounding([*same, *moved])
    assert words.moved_by(far) == "0.072 bits"
