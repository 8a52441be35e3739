"""What is kept of a training that is killed."""

from __future__ import annotations

import json

import pytest

from suite.accuracy.checkpoint import Checkpoint, Progress


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
