"""What frameworks make of the same weights is judged beside the reference, whatever they do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backends.base import NotSupported
from suite.engine.progress import Reporter
from suite.plan.configurations import configurations, reference_configuration
from suite.plan.options import Choice
from suite.weights import check
from suite.worker.process import WorkerError, WorkerLost
from tasks.models.catalogue import MODELS
from tests.fixtures.installations import ARMS

MODEL = MODELS["resnet50"].make(classes=3, blocks=(1, 1, 1, 1), width=2, size=32)
SAMPLES = replace(check.random_samples(MODEL), targets=np.array([2, -1], np.int32))
WANTED = np.array([[3.0, 0.0, 4.0], [0.0, 12.0, 0.0]])


def answers(monkeypatch, tmp_path, **made):
    """By backend and execution, where each makes this, raises it, or else what is wanted."""

    def logits(model, start, samples, configuration, folder):
        assert samples is SAMPLES
        assert model is MODEL
        assert start["x"].dtype == np.float64
        found = made.get(f"{configuration.backend}_{configuration.execution}", WANTED)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(check, "_logits", logits)
    asked = configurations(Choice(), ARMS, "float32", every=True)
    start = {"x": np.ones(2, np.float32)}
    reference = reference_configuration(ARMS)
    found = check.check(MODEL, start, SAMPLES, asked, reference, tmp_path, Reporter())
    return {f"{each.backend}_{each.execution}": each for each in found}


def test_the_same_logits_are_the_same(monkeypatch, tmp_path):
    found = answers(monkeypatch, tmp_path, torch_eager=WANTED * (1 + 1e-6))
    verdicts = {name: each.verdict for name, each in found.items()}
    assert verdicts == {
        "numpy_eager": "reference",
        "torch_eager": "same",
        "torch_compiled": "same",
        "jax_compiled": "same",
        "tensorflow_default": "not possible",
    }
    assert not any(each.wrong for each in found.values())
    assert found["torch_eager"].off == pytest.approx(1e-6)
    assert (found["torch_eager"].alike, found["torch_eager"].guesses) == (2, 2)
    assert (found["torch_eager"].right, found["torch_eager"].targets) == (1, 1)
    assert "No module named" in found["tensorflow_default"].why


@pytest.mark.parametrize(
    ("made", "verdict", "why"),
    [
        (WANTED * (1 + 2e-4), "different", None),
        (WANTED * np.nan, "different", None),
        (WANTED[:1], "failed", "its logits have the shape (1, 3), not (2, 3)"),
        (WorkerError("ValueError: no"), "failed", "ValueError: no"),
        (WorkerLost("the worker died"), "failed", "the worker died"),
    ],
)
def test_others_are_wrong(monkeypatch, tmp_path, made, verdict, why):
    found = answers(monkeypatch, tmp_path, jax_compiled=made)["jax_compiled"]
    assert (found.verdict, found.why) == (verdict, why)
    assert found.wrong


def test_padded_steps_do_not_count(monkeypatch, tmp_path):
    model = MODELS["bert-base"].make(
        steps=3, blocks=1, width=8, heads=2, hidden=8, vocabulary=5, rows=3
    )
    samples, shown = check.random_samples(model), np.arange(3) < [[3], [1]]
    wanted = np.random.default_rng(0).standard_normal((2, 3, 5))
    turned = np.where(shown[..., None], wanted, -wanted)
    monkeypatch.setattr(
        check, "_logits", lambda *given: turned if given[3].backend == "jax" else wanted
    )
    asked = configurations(Choice(backends=("jax",)), ARMS, "float32")
    for valid, verdict in ((None, "different"), ({"ids": shown}, "same")):
        given = replace(samples, valid=valid)
        found = check.check(
            model, {}, given, asked, reference_configuration(ARMS), tmp_path, Reporter()
        )
        assert found[1].verdict == verdict


def test_what_is_not_supported_is_not_wrong(monkeypatch, tmp_path):
    found = answers(monkeypatch, tmp_path, jax_compiled=NotSupported("no Conv2d"))["jax_compiled"]
    assert (found.verdict, found.why, found.wrong) == ("not possible", "no Conv2d", False)


def test_without_the_reference_nothing_is_compared(monkeypatch, tmp_path):
    found = answers(monkeypatch, tmp_path, numpy_eager=WorkerLost("out of memory"))
    assert [*found] == ["numpy_eager"]
    assert found["numpy_eager"].wrong
