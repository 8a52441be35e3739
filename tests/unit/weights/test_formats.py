"""A file's name says how it is read and written."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.plan.options import UsageError
from suite.weights import foreign
from suite.weights.contents import WeightsError
from suite.weights.formats import FORMATS, format_of
from tests.fixtures.installations import installation


@pytest.mark.parametrize("end", FORMATS)
def test_every_end_is_that_of_its_format(end):
    assert format_of(Path(f"some.model{end}")) is FORMATS[end]


def test_what_a_framework_declares_is_there():
    assert {*FORMATS} >= {".pt", ".pth", ".bin", ".weights.h5", ".h5", ".keras"}


@pytest.mark.parametrize(
    ("name", "written", "words"),
    [
        ("x.onnx", False, r"x\.onnx: the name must end in one of \.safetensors\.index\.json, "),
        ("safetensors", False, "must end in one of"),
        ("x.keras", True, r"must end in one of \.safetensors, .*, and not \.keras"),
        ("x.weights.h5", True, r"and not \.weights\.h5"),
        ("x.safetensors.index.json", True, r"and not \.safetensors\.index\.json"),
    ],
)
def test_other_names_are_refused(name, written, words):
    with pytest.raises(UsageError, match=words):
        format_of(Path(name), written=written)


def test_a_framework_that_is_not_there_is_named(monkeypatch, tmp_path):
    gone = installation("torch", why="ModuleNotFoundError: No module named 'torch'")
    monkeypatch.setattr(foreign, "discover", lambda *_, **__: [gone])
    path = tmp_path / "x.pt"
    path.write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"x\.pt needs PyTorch, which is not there: Module"):
        format_of(path).read(path, {})
