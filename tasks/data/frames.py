"""Speech as frames of logarithms of energies in mel bands, and what is said as letters."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.base import Batch, Splits

BANDS = 40
WINDOWS, HOPS = 40, 100  # a second has: of the length of a frame, and between two
LEAST = 1e-6  # of a band's energy: that of a tone of a thousandth of full scale is 1e-3
GRAIN = 256  # features are multiples of 1 / GRAIN, so that a last bit does not change them
LETTERS = "_abcdefghijklmnopqrstuvwxyz '"  # the first is the blank

Floats = NDArray[np.float64]
Spoken = tuple[str, NDArray[np.floating]]  # a text in small letters, and its frames


def samples(path: str, sound: bytes, rate: int, error: type[ValueError]) -> Floats:
    """In [-1, 1), of one channel of 16 bits at so many samples a second. Raises ``error``."""
    try:
        with wave.open(io.BytesIO(sound)) as file:
            kind = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            raw = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as caught:
        raise error(f"{path} is no sound that can be read: {caught}") from caught
    if kind != (1, 2, rate):
        raise error(f"{path} has (channels, bytes, rate) {kind}, it must be (1, 2, {rate})")
    return np.frombuffer(raw, "<i2") / 2**15


def energies(sound: Floats, rate: int) -> Floats:
    """The logarithm of each band's energy in each frame of 25 ms, every 10 ms: (frames, bands)."""
    window, hop = rate // WINDOWS, rate // HOPS
    count = max(0, 1 + (len(sound) - window) // hop)
    at = hop * np.arange(count)[:, None] + np.arange(window)
    power = np.abs(np.fft.rfft(sound[at] * np.hanning(window), _points(window))) ** 2
    return np.log(power @ bands(rate).T + LEAST)


def _points(window: int) -> int:
    """Of a frame's spectrum: the power of two that has room for it."""
    return 1 << (window - 1).bit_length()


def bands(rate: int) -> Floats:
    """Triangles of equal width in mel, 2595 log10(1 + hertz / 700), each over its neighbours'
    centres: (bands, points of the spectrum).
    """
    top, points = 2595 * np.log10(1 + rate / 1400), _points(rate // WINDOWS)
    edges = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    hertz = np.arange(points // 2 + 1) * rate / points
    low, centre, high = (edges[n : n + BANDS, None] for n in range(3))
    rising, falling = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
    found: Floats = np.maximum(0, np.minimum(rising, falling))
    return found


def batches(parts: Mapping[str, Sequence[Spoken]], steps: int) -> Splits:
    """Of train, validation and test: frames (samples, steps, bands), padded behind, and letters
    with -1 behind them.

    A feature is the logarithm of a band's energy, less its mean over the training part and divided
    by its deviation there, and rounded to 1/256. FFTs and logarithms differ between machines by
    some 1e-15, which that rounding takes away: float32 has the same bits everywhere, unless a value
    lies so close to the middle of two.
    """
    seen = np.concatenate([frames for _, frames in parts["train"]])
    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    labels = max(len(text) for part in parts.values() for text, _ in part)

    def batch(part: Sequence[Spoken]) -> Batch:
        inputs = np.zeros((len(part), steps, BANDS), np.float32)
        targets = np.full((len(part), labels), -1, np.int32)
        valid = np.zeros((len(part), steps), bool)
        for row, (text, frames) in enumerate(part):
            standard = (frames - mean) / deviation
            inputs[row, : len(frames)] = np.round(standard * GRAIN) / GRAIN
            targets[row, : len(text)] = [LETTERS.index(letter) for letter in text]
            valid[row, : len(frames)] = True
        return Batch(inputs=inputs, targets=targets, valid=valid)

    return Splits(**{name: batch(part) for name, part in parts.items()})
