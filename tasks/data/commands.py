"""Speech Commands: recordings of one word, of a second at most, at 16 kHz by 2,600 people (P.
Warden, arXiv 1804.03209, version 0.02, CC-BY-4.0). Of its 35 words the ten commands are taken:
38,500 recordings, in the published three parts, which have no speaker in common.

The archive (2.4 GB) is downloaded once, checked, and kept in the user's cache folder, or taken from
the folder that TRIBENCH_DATA names. It is read where it lies, never unpacked.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from tasks.base import Splits
from tasks.data.archive import tar_files
from tasks.data.download import VARIABLE, found
from tasks.data.frames import BANDS, Spoken, batches, energies, samples

RATE = 16000  # samples a second
WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
LISTS = {"validation_list.txt": "validation", "testing_list.txt": "test"}  # all else is train


class CommandsError(ValueError):
    """An archive that is missing, damaged or another than the one that is meant."""


@dataclass(frozen=True, kw_only=True)
class SpokenCommands:
    """Frames (steps, 40 bands), padded behind; targets are the letters of the word."""

    steps: int
    url: str = (
        "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
    )
    checksum: str = "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"
    downloaded: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return f"Speech Commands, {len(WORDS)} words, {self.steps} x {BANDS}"

    def load(self) -> Splits:
        """Raises CommandsError, whose message names the file or the address."""
        return _load(self, os.environ.get(VARIABLE))


@cache  # the seeds of a task share one copy
def _load(data: SpokenCommands, local: str | None) -> Splits:
    archive = found(data.url, data.checksum, CommandsError)
    part_of: dict[str, str] = {}
    said: list[tuple[str, Spoken]] = []  # in the order of the archive, which the lists may follow
    for path, content in tar_files(archive, _wanted, CommandsError):
        if path in LISTS:
            names = content.decode("utf-8", "replace").split()
            part_of |= dict.fromkeys(names, LISTS[path])
        else:
            sound = samples(path, content, RATE, CommandsError)
            frames = energies(sound, RATE)[: data.steps].astype(np.float32)
            if len(frames):
                said.append((path, (path.partition("/")[0], frames)))
    parts: dict[str, list[Spoken]] = {"train": [], "validation": [], "test": []}
    for path, spoken in sorted(said, key=lambda one: one[0]):
        parts[part_of.get(path, "train")].append(spoken)
    for part in (name for name, recordings in parts.items() if not recordings):
        raise CommandsError(f"{archive} has no recordings of these words for {part}")
    return batches(parts, data.steps)


def _wanted(path: str) -> bool:
    word, slash, name = path.partition("/")
    return path in LISTS or (word in WORDS and name.endswith(".wav") and bool(slash))
