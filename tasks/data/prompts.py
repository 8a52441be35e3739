"""The voice prompts of Asterisk in English: 553 recordings of one speaker with their texts, 24
minutes at 8 kHz (Allison Smith, 2003 to 2010, CC-BY-SA-3.0), as Debian has them in
``asterisk-core-sounds-en-wav`` and ``asterisk-core-sounds-en`` 1.6.1-1.

Split by texts, in the order of their sha256: a tenth is the test, a tenth validation. So no text is
in two parts.

The two packages (18 MB) are downloaded once, checked, and kept in the user's cache folder. Where
the environment variable TRIBENCH_DATA names a folder, the packages in it are read, and nothing is
downloaded even if they are not there.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import ClassVar

from tasks.base import Splits
from tasks.data import deb
from tasks.data.download import VARIABLE, found
from tasks.data.frames import BANDS, Spoken, batches, energies, samples

POOL = "http://deb.debian.org/debian/pool/main/a/asterisk-core-sounds"
SOUNDS, TEXTS = (
    f"asterisk-core-sounds-en{kind}_1.6.1-1_all.deb" for kind in ("-wav", "")
)  # also what a folder has

RATE = 8000  # samples a second
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class PromptsError(ValueError):
    """Packages that are missing, damaged or others than those that are meant."""


@dataclass(frozen=True, kw_only=True)
class VoicePrompts:
    """Frames (steps, 40 bands) of the prompts that are not longer than ``steps`` frames of 10 ms,
    padded behind; targets are their letters, with -1 behind them (see tasks.data.frames).
    ``checksums`` are the packages' sha256, of the sounds and of the texts.
    """

    steps: int
    url: str = POOL
    checksums: tuple[str, str] = (
        "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
        "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
    )
    downloaded: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return f"voice prompts, {self.steps} x {BANDS}"

    def load(self) -> Splits:
        """Raises PromptsError, whose message names the file or the address."""
        return _load(self, os.environ.get(VARIABLE))


@cache  # the seeds of a task share one copy
def _load(data: VoicePrompts, local: str | None) -> Splits:
    sounds, texts = (
        _files(data, *each)
        for each in zip((SOUNDS, TEXTS), data.checksums, (".wav", ".txt.gz"), strict=True)
    )
    said = transcripts("\n".join(gzip.decompress(text).decode("utf-8") for text in texts.values()))
    prompts: list[Spoken] = []
    for path, sound in sorted(sounds.items()):
        text = next((text for name, text in said.items() if path.endswith(f"/{name}.wav")), "")
        frames = energies(samples(path, sound, RATE, PromptsError), RATE)
        if text and 0 < len(frames) <= data.steps:
            prompts.append((text, frames))
    return split(prompts, data.steps)


def transcripts(listing: str) -> dict[str, str]:
    """By name, what the lines ``name: text`` say, in small letters, digits as words. Sounds that
    are no speech, and numbers of several digits, are left out.
    """
    found = {}
    for line in listing.splitlines():
        name, colon, text = line.partition(":")
        text = re.sub(r"[\[(].*?[\])]", " ", text.lower())
        if not colon or name.startswith(";") or re.search(r"\d\d|[#<>*@$=+/]", text):
            continue
        text = re.sub(r"\d", lambda digit: f" {DIGITS[int(digit[0])]} ", text)
        text = " ".join(re.sub(r"[^a-z']", " ", text).split())
        if text:
            found[name.strip()] = text
    return found


def split(prompts: Sequence[Spoken], steps: int) -> Splits:
    """By texts."""
    order = sorted({text for text, _ in prompts}, key=lambda text: sha256(text.encode()).digest())
    tenth = len(order) // 10
    if not tenth:
        raise PromptsError(f"{len(order)} texts are too few for a train, validation and test part")
    tested, validated = set(order[:tenth]), set(order[tenth : 2 * tenth])
    parts: dict[str, list[Spoken]] = {"train": [], "validation": [], "test": []}
    for text, frames in prompts:
        part = "test" if text in tested else "validation" if text in validated else "train"
        parts[part].append((text, frames))
    return batches(parts, steps)


def _files(data: VoicePrompts, package: str, checksum: str, ending: str) -> dict[str, bytes]:
    path = found(f"{data.url}/{package}", f"sha256:{checksum}", PromptsError)
    try:
        return deb.files(path.read_bytes(), ending)
    except deb.DebError as error:
        raise PromptsError(f"{path} cannot be read: {error}") from error
