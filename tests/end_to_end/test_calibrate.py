"""Thresholds derived through the real command line, from adapters that subclass the reference."""

from __future__ import annotations

import json
from functools import partial

import pytest

PLUGINS = ("planted",)


@pytest.fixture
def calibrate(tribench, checkout):
    asked = ("calibrate", "--task", "planted-words", "--seeds", "2", "--quiet")
    return partial(tribench, *asked, root=checkout, plugins=PLUGINS)


def test_thresholds_are_derived_and_recorded(calibrate, tmp_path):
    record = tmp_path / "limits.json"
    done = calibrate("--backend", "reordered,one-pass", "--output", str(record))
    assert done.returncode == 0, done.stderr
    limits = json.loads(record.read_text())
    assert limits["seeds"] == {"planted-words": 2}
    assert limits["programs"] == ["one-pass eager", "reordered eager"]
    for name in ("function", "alone", "drills"):
        limit = limits[name]
        assert limit["correct"]["value"] < limit["threshold"] < limit["mistake"]["value"]
    assert "mean: 1e-06 added to the number of valid" in limits["alone"]["mistake"]["where"]
    of_precision = limits["precision"]["float32"]
    assert of_precision["threshold"] >= 4 * of_precision["correct"]["value"]
    assert all(name in done.stdout for name in ("function", "precision", "training"))


def test_what_is_not_correct_derives_nothing(calibrate, tmp_path):
    record = tmp_path / "limits.json"
    record.write_text("before")
    done = calibrate("--backend", "tanh", "--output", str(record))
    assert done.returncode == 1
    assert "planted-words, tanh eager, seed 0 is different: layer gelu" in done.stderr
    assert record.read_text() == "before"


@pytest.mark.parametrize(
    "asked", [("calibrate", "--output"), ("parity", "--page")], ids=["calibrate", "parity"]
)
def test_what_cannot_be_written_is_told_before_work_starts(asked, tribench, checkout, tmp_path):
    (tmp_path / "file").write_text("")
    done = tribench(*asked, str(tmp_path / "file" / "out"), root=checkout)
    assert done.returncode == 2
    assert done.stderr.startswith("tribench: nothing can be written under")
    assert done.stderr.count("\n") == 1
