"""The 1797 handwritten digits of 8x8 pixels in 17 grey levels that scikit-learn carries
(UCI Optical Recognition of Handwritten Digits, doi 10.24432/C50P49), as images, as rows
and as tokens.

Split: 1257 train, 180 validation, 360 test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.base import Splits
from tasks.data.split import split

GREY_LEVELS = 17  # pixels are 0 to 16
VALIDATION, TEST = 180, 360


@dataclass(frozen=True, kw_only=True)
class DigitImages:
    """Digits as (channels, crop, crop) images in [0, 1]: scaled to ``size`` pixels, the centre
    ``crop`` kept, the grey value repeated in every channel.
    """

    channels: int
    size: int
    crop: int

    @property
    def name(self) -> str:
        return f"digits {self.channels}x{self.crop}x{self.crop}"

    def load(self) -> Splits:
        pixels, digit = _digits()
        scaled = resize(pixels / (GREY_LEVELS - 1), self.size)
        start = (self.size - self.crop) // 2
        cropped = scaled[:, start : start + self.crop, start : start + self.crop]
        images = np.repeat(cropped[:, None], self.channels, axis=1)
        return split(images, digit, digit, VALIDATION, TEST)


@dataclass(frozen=True, kw_only=True)
class DigitRows:
    """Digits as sequences: scaled to ``size`` pixels, each row of the image a step of ``size``
    features in [0, 1].
    """

    size: int

    @property
    def name(self) -> str:
        return f"digits, {self.size} steps x {self.size}"

    def load(self) -> Splits:
        pixels, digit = _digits()
        rows = resize(pixels / (GREY_LEVELS - 1), self.size)
        return split(rows, digit, digit, VALIDATION, TEST)


@dataclass(frozen=True, kw_only=True)
class DigitTokens:
    """Digits as 64 tokens, the pixels in row order in ``levels`` grey levels; the class is the
    digit, or with ``threshold`` whether the digit is at least that.
    """

    levels: int
    threshold: int | None = None

    @property
    def name(self) -> str:
        asked = "" if self.threshold is None else f", at least {self.threshold}"
        return f"digits, 64 tokens of {self.levels}{asked}"

    def load(self) -> Splits:
        pixels, digit = _digits()
        tokens = (pixels * self.levels // GREY_LEVELS).astype(np.int32).reshape(len(pixels), 64)
        targets = digit if self.threshold is None else digit >= self.threshold
        return split(tokens, targets, digit, VALIDATION, TEST)


def resize(images: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Bilinear, pixel centres at half-integers, edges repeated: (n, h, w) becomes (n, size, size).

    Written out because the frameworks' and libraries' resizings differ in these conventions.
    """
    down = _interpolation(images.shape[1], size)
    right = _interpolation(images.shape[2], size)
    resized: NDArray[np.float64] = np.einsum("ih,nhw,jw->nij", down, images, right)
    return resized


def _interpolation(old: int, new: int) -> NDArray[np.float64]:
    centres = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    distance = np.abs(centres[:, None] - np.arange(old))
    weights: NDArray[np.float64] = np.maximum(1 - distance, 0)
    return weights


def _digits() -> tuple[NDArray[Any], NDArray[Any]]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images, bunch.target
