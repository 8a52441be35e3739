"""Published data sets from small archives in the real formats: what their tasks get of them, and
what is told where an archive is missing, damaged or another.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from suite.engine.inputs import TaskInputs
from suite.plan import catalogue
from suite.plan.plan import pick_tasks
from tasks.data import frames
from tasks.data.commands import WORDS, CommandsError
from tasks.data.imagenette import ImagenetteError, squared
from tasks.data.multi30k import Multi30kError
from tasks.data.pairs import BEGIN, SPECIAL
from tasks.data.subwords import learn
from tasks.data.wikitext import WikiTextError
from tests.fixtures import published_files
from tests.fixtures.published_files import SENTENCES, TEXTS, commands, imagenette, multi30k

WRITERS = {
    "gpt-small-wikitext2": published_files.wikitext,
    "translation-small-multi30k": multi30k,
    "speech-small-commands": commands,
    "cnn-small-imagenette": imagenette,
}
ERRORS = (WikiTextError, Multi30kError, CommandsError, ImagenetteError)
TASKS = catalogue.tasks()


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The one that TRIBENCH_DATA names."""
    monkeypatch.setenv("TRIBENCH_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", WRITERS)
def test_its_task_takes_it_and_runs_where_it_is_named_alone(name, folder):
    data = WRITERS[name](folder)
    if name == "translation-small-multi30k":
        data = replace(data, vocabulary=TASKS[name].data.vocabulary)
    splits = TaskInputs(replace(TASKS[name], data=data), 0, folder / "inputs").splits
    assert splits.train.inputs is not None
    assert name not in {task.name for task in pick_tasks((), ("*",), TASKS)}
    assert [task.name for task in pick_tasks((name,), ("*",), TASKS)] == [name]


@pytest.mark.parametrize("name", WRITERS)
def test_an_archive_that_is_missing_or_another_is_told(name, folder):
    data = WRITERS[name](folder)
    *_, last = sorted(path for path in folder.iterdir() if path.is_file())
    content = last.read_bytes()
    last.write_bytes(content[:-1])
    with pytest.raises(ERRORS, match=rf"{last} is damaged or another file: .*; get it again"):
        data.load()
    last.unlink()
    with pytest.raises(ERRORS, match=rf"{last} cannot be read: .*unset TRIBENCH_DATA to download"):
        data.load()


@pytest.mark.parametrize("name", WRITERS)
def test_the_published_ones_are_meant(name):
    data = TASKS[name].data
    sums = getattr(data, "checksums", None) or (data.checksum.partition(":")[2],)
    assert {len(each) for each in sums} <= {32, 64}
    assert data.url.startswith("https://")


class TestWikiText:
    def test_windows_are_of_their_own_part(self, folder):
        splits = published_files.wikitext(folder).load()
        for name, text in zip(("train", "validation", "test"), TEXTS.values(), strict=True):
            part = getattr(splits, name)
            rows = [bytes(row.astype(np.uint8)) for row in part.inputs]
            assert all(row in text.encode() for row in rows)
            assert np.array_equal(part.inputs[:, 1:], part.targets[:, :-1])

    def test_an_archive_without_a_part_is_told(self, folder):
        data = published_files.wikitext(folder, {"train": TEXTS["train"]})
        with pytest.raises(WikiTextError, match=r"has no file wikitext-2/wiki\.valid\.tokens"):
            data.load()


class TestMulti30k:
    def test_sentences_are_english_to_german_in_the_published_parts(self, folder):
        splits = multi30k(folder).load()
        assert [len(part) for part in vars(splits).values()] == [60, 3, 4]
        words = learn([text for pair in SENTENCES * 20 for text in pair], 280 - SPECIAL - 256)
        first = splits.test
        for row, pair in enumerate(SENTENCES):
            for name, text in zip(("source", "target"), pair, strict=True):
                valid = first.inputs[name][row][first.valid[name][row]]
                told = [token - SPECIAL for token in valid if token != BEGIN]
                assert words.text(told) == text

    def test_an_archive_of_another_language_is_told(self, folder):
        data = multi30k(folder, german="fr")
        with pytest.raises(Multi30kError, match=r"training\.tar\.gz has no file train\.de"):
            data.load()


class TestCommands:
    def test_recordings_are_in_the_published_parts_with_their_words(self, folder):
        splits = commands(folder).load()
        for name, count in (("train", 4), ("validation", 1), ("test", 1)):
            part = getattr(splits, name)
            rows = [[n for n in row if n >= 0] for row in part.targets]
            said = Counter("".join(frames.LETTERS[letter] for letter in row) for row in rows)
            assert said == dict.fromkeys(WORDS, count)
            assert (part.valid.sum(axis=1) == 98).all()
            assert part.inputs.shape[1:] == (100, frames.BANDS)

    def test_what_is_shorter_is_padded_and_what_is_longer_is_cut(self, folder):
        for seconds, steps in ((0.5, 48), (1.5, 100)):
            part = commands(folder, seconds=seconds).load().train
            assert (part.valid.sum(axis=1) == steps).all()

    def test_a_recording_of_another_kind_is_told(self, folder):
        with pytest.raises(CommandsError, match=r"yes/a_nohash_0\.wav has .*\(1, 2, 16000\)"):
            commands(folder, rate=8000).load()


class TestImagenette:
    def test_pictures_are_in_their_parts_with_their_classes(self, folder):
        splits = imagenette(folder).load()
        for name, count in (("train", 18), ("validation", 2), ("test", 2)):
            part = getattr(splits, name)
            assert Counter(part.targets.tolist()) == dict.fromkeys(range(10), count)
            assert part.inputs.dtype == np.float32
            bright = part.inputs.mean(axis=(1, 2, 3)) * 255
            assert np.abs(bright - 20 * part.targets).max() < 3  # as JPEG keeps it

    def test_a_pixel_is_the_mean_of_those_in_it_in_the_middle_of_the_picture(self):
        wide = published_files.noise(160, 240)
        found = squared(wide, 32)
        assert found.shape == (3, 32, 32)
        assert found[1, 4, 7] == pytest.approx(wide[20:25, 40 + 35 : 40 + 40, 1].mean() / 255)
        assert squared(published_files.noise(100, 90), 32).shape == (3, 32, 32)
        with pytest.raises(ImagenetteError, match="of 20 pixels cannot be made one of 32"):
            squared(published_files.noise(20, 50), 32)

    @pytest.mark.parametrize("content", [b"", b"odd", b"\xff\xd8\xff\xe0" + b"x" * 99])
    def test_what_is_no_picture_is_told(self, folder, content):
        with pytest.raises(ImagenetteError, match=r"val/n01440764/.* is no picture"):
            imagenette(folder, damaged=content).load()
