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
import io
import os
import re
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tasks.base import Batch, Splits
from tasks.data import deb
from tasks.data.download import VARIABLE, download

POOL = "http://deb.debian.org/debian/pool/main/a/asterisk-core-sounds"
SOUNDS, TEXTS = (
    f"asterisk-core-sounds-en{kind}_1.6.1-1_all.deb" for kind in ("-wav", "")
)  # also what a folder has

RATE = 8000  # samples a second
WINDOW, HOP, POINTS = 200, 80, 256  # samples of a frame, between frames, and of its spectrum
BANDS = 40
LEAST = 1e-6  # of a band's energy: that of a tone of a thousandth of full scale is 1e-3
GRAIN = 256  # features are multiples of 1 / GRAIN, so that a last bit does not change them
LETTERS = "_abcdefghijklmnopqrstuvwxyz '"  # the first is the blank
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

Floats = NDArray[np.float64]


class PromptsError(ValueError):
    """Packages that are missing, damaged or others than those that are meant."""


@dataclass(frozen=True, kw_only=True)
class VoicePrompts:
    """Frames (steps, 40 bands) of the prompts that are not longer than ``steps`` frames of 10 ms,
    padded behind; targets are their letters, with -1 behind them. ``checksums`` are the packages'
    sha256, of the sounds and of the texts.

    A feature is the logarithm of a band's energy, less its mean over the training part and divided
    by its deviation there, and rounded to 1/256. FFTs and logarithms differ between machines by
    some 1e-15, which that rounding takes away: float32 has the same bits everywhere, unless a value
    lies so close to the middle of two.
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
        _files(data, local, *each)
        for each in zip((SOUNDS, TEXTS), data.checksums, (".wav", ".txt.gz"), strict=True)
    )
    said = transcripts("\n".join(gzip.decompress(text).decode("utf-8") for text in texts.values()))
    prompts: list[tuple[str, Floats]] = []
    for path, sound in sorted(sounds.items()):
        text = next((text for name, text in said.items() if path.endswith(f"/{name}.wav")), "")
        frames = energies(samples(path, sound))
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


def samples(path: str, sound: bytes) -> Floats:
    """In [-1, 1), of one channel of 16 bits at 8 kHz."""
    try:
        with wave.open(io.BytesIO(sound)) as file:
            kind = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            raw = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise PromptsError(f"{path} is no sound that can be read: {error}") from error
    if kind != (1, 2, RATE):
        raise PromptsError(f"{path} has (channels, bytes, rate) {kind}, it must be (1, 2, {RATE})")
    return np.frombuffer(raw, "<i2") / 2**15


def energies(sound: Floats) -> Floats:
    """The logarithm of each band's energy in each frame: (frames, bands)."""
    count = max(0, 1 + (len(sound) - WINDOW) // HOP)
    at = HOP * np.arange(count)[:, None] + np.arange(WINDOW)
    power = np.abs(np.fft.rfft(sound[at] * np.hanning(WINDOW), POINTS)) ** 2
    return np.log(power @ _bands().T + LEAST)


def _bands() -> Floats:
    """Triangles of equal width in mel, 2595 log10(1 + hertz / 700), each over its neighbours'
    centres: (bands, points of the spectrum).
    """
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 1400), BANDS + 2) / 2595) - 1)
    hertz = np.arange(POINTS // 2 + 1) * RATE / POINTS
    low, centre, high = (edges[n : n + BANDS, None] for n in range(3))
    rising, falling = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
    found: Floats = np.maximum(0, np.minimum(rising, falling))
    return found


def split(prompts: Sequence[tuple[str, Floats]], steps: int) -> Splits:
    """By texts; features are standardised with the training part's mean and deviation."""
    order = sorted({text for text, _ in prompts}, key=lambda text: sha256(text.encode()).digest())
    tenth = len(order) // 10
    if not tenth:
        raise PromptsError(f"{len(order)} texts are too few for a train, validation and test part")
    tested, validated = set(order[:tenth]), set(order[tenth : 2 * tenth])
    parts: Mapping[str, list[tuple[str, Floats]]] = {"train": [], "validation": [], "test": []}
    for text, frames in prompts:
        part = "test" if text in tested else "validation" if text in validated else "train"
        parts[part].append((text, frames))
    seen = np.concatenate([frames for _, frames in parts["train"]])
    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    labels = max(len(text) for text, _ in prompts)

    def batch(part: list[tuple[str, Floats]]) -> Batch:
        inputs = np.zeros((len(part), steps, BANDS), np.float32)
        targets = np.full((len(part), labels), -1, np.int32)
        valid = np.zeros((len(part), steps), bool)
        for row, (text, frames) in enumerate(part):
            standard = (frames - mean) / deviation
            inputs[row, : len(frames)] = np.round(standard * GRAIN) / GRAIN
            targets[row, : len(text)] = [LETTERS.index(letter) for letter in text]
            valid[row, : len(frames)] = True
        return Batch(inputs=inputs, targets=targets, valid=valid)

    return Splits(
        train=batch(parts["train"]),
        validation=batch(parts["validation"]),
        test=batch(parts["test"]),
    )


def _files(
    data: VoicePrompts, local: str | None, package: str, checksum: str, ending: str
) -> dict[str, bytes]:
    if local:
        path = Path(os.path.expanduser(local), package)
    else:
        address, wanted = f"{data.url}/{package}", f"{SOUNDS} and {TEXTS}"
        path = download(address, f"sha256:{checksum}", wanted, PromptsError)
    try:
        contents = path.read_bytes()
    except OSError as error:
        remedy = f"put {package} there, or unset {VARIABLE} to download {data.url}/{package}"
        raise PromptsError(f"{path} cannot be read: {error.strerror}; {remedy}") from error
    found = sha256(contents).hexdigest()
    if found != checksum:
        what = f"{path} is damaged or another package: its sha256 is {found}, not {checksum}"
        raise PromptsError(f"{what}; get it again")
    try:
        return deb.files(contents, ending)
    except deb.DebError as error:
        raise PromptsError(f"{path} cannot be read: {error}") from error
