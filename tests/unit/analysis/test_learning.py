"""What trainings say together: pairs of seeds, and how many more are needed."""

from __future__ import annotations

import pytest

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
