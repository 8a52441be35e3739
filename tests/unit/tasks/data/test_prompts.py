"""Voice prompts from small packages in the real format."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tasks.data import deb, frames, prompts
from tasks.data.frames import BANDS, LETTERS
from tasks.data.prompts import RATE, SOUNDS, TEXTS, PromptsError
from tests.fixtures.prompt_files import SAID, package, sound, write


def test_files_of_a_package_are_read_and_links_are_not_followed():
    made = package({"a/one.wav": b"123", "a/two.txt": b"4", "b/three.wav": b""})
    assert deb.files(made, ".wav") == {"usr/share/a/one.wav": b"123", "usr/share/b/three.wav": b""}


@pytest.mark.parametrize(
    ("package", "words"),
    [
        (b"", "does not begin as an ar archive"),
        (package({})[:100], "cut off"),
        (b"!<arch>\n", "there is no data.tar.xz"),
        (package({"a": b"x" * 999})[:-40], "cut off"),
        (package({}).replace(b"\xfd7zXZ", b"\xfd7zYZ"), "damaged"),
    ],
)
def test_what_is_no_whole_package_is_told(package, words):
    with pytest.raises(deb.DebError, match=words):
        deb.files(package, ".wav")


def test_texts_are_small_letters_and_what_is_no_speech_is_left_out():
    listing = """; Sounds: in English
beep: [a tone]
plus: plus [+]
silence/1: (1 second of silence)
press: Press 1, don't WAIT -- or hang-up.
many: 162 calls
odd: a = b"""
    assert prompts.transcripts(listing) == {
        "plus": "plus",
        "press": "press one don't wait or hang up",
    }


@pytest.mark.parametrize(("rate", "points"), [(8000, 256), (16000, 512)])
def test_a_tone_is_loudest_in_its_band(rate, points):
    at = np.arange(rate) / rate
    for hertz in (300, 1000, 3000):
        found = frames.energies(np.sin(2 * np.pi * hertz * at), rate)
        assert found.shape == (98, BANDS)
        points_of = frames.bands(rate)[:, round(hertz * points / rate)]
        assert (found.argmax(axis=1) == points_of.argmax()).all()


def test_no_text_is_in_two_parts_and_all_prompts_are_there(tmp_path, monkeypatch):
    data = write(tmp_path)
    monkeypatch.setenv("TRIBENCH_DATA", str(tmp_path))
    splits, texts = data.load(), []
    for part in (splits.train, splits.validation, splits.test):
        assert part.inputs.dtype == np.float32
        assert part.inputs.shape[1:] == (60, BANDS)
        assert (part.inputs[~part.valid] == 0).all()
        assert (np.diff(part.valid.astype(int)) <= 0).all()  # padded behind
        assert (part.inputs * frames.GRAIN % 1 == 0).all()
        texts.append(["".join(LETTERS[n] for n in row if n >= 0) for row in part.targets])
    assert sorted(text for part in texts for text in part) == sorted(SAID.values())
    train, validation, test = map(set, texts)
    assert not train & validation | train & test | validation & test
    seen = splits.train.inputs[splits.train.valid]
    assert np.abs(seen.mean(axis=0)).max() < 1 / frames.GRAIN
    assert np.abs(seen.std(axis=0) - 1).max() < 1 / frames.GRAIN
    shorter = replace(data, steps=41).load()
    assert 0 < sum(map(len, vars(shorter).values())) < len(SAID)


def test_a_folder_without_a_package_and_a_changed_one_are_told(tmp_path, monkeypatch):
    data = write(tmp_path)
    monkeypatch.setenv("TRIBENCH_DATA", str(tmp_path))
    (tmp_path / TEXTS).write_bytes(b"odd")
    with pytest.raises(PromptsError, match=rf"{TEXTS} is damaged .* get it again"):
        data.load()
    (tmp_path / SOUNDS).unlink()
    with pytest.raises(PromptsError, match=rf"{SOUNDS} cannot be read: .* unset TRIBENCH_DATA"):
        data.load()


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"odd", "one.wav is no sound that can be read"),
        (sound(0.1, channels=2), r"has \(channels, bytes, rate\) \(2, 2, 8000\)"),
        (sound(0.1, rate=16000), r"\(1, 2, 16000\), it must be \(1, 2, 8000\)"),
    ],
)
def test_a_sound_of_another_kind_is_refused(contents, words):
    with pytest.raises(PromptsError, match=words):
        frames.samples("one.wav", contents, RATE, PromptsError)
