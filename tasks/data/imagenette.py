"""Imagenette: 13,394 photographs of ten classes of ImageNet that are easy to tell apart (J. Howard,
https://github.com/fastai/imagenette, version 2, Apache-2.0), 160 pixels on the shorter side.

Its own validation part is the test here; a tenth of each class of its training part validates.

The archive (99 MB) is downloaded once, checked, and kept in the user's cache folder, or taken from
the folder that TRIBENCH_DATA names. It is read where it lies, never unpacked.
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tasks.base import Batch, Splits
from tasks.data.archive import tar_files
from tasks.data.download import VARIABLE, found
from tasks.data.split import every_tenth

CLASSES = (  # WordNet's numbers: a tench, an English springer, a cassette player, a chain saw, ...
    *("n01440764", "n02102040", "n02979186", "n03000684", "n03028079"),
    *("n03394916", "n03417042", "n03425413", "n03445777", "n03888257"),
)
PICTURE = re.compile(rf"imagenette2-160/(train|val)/({'|'.join(CLASSES)})/[^/]+\.JPEG")

Pixels = NDArray[np.float32]


class ImagenetteError(ValueError):
    """An archive that is missing, damaged or another than the one that is meant."""


@dataclass(frozen=True, kw_only=True)
class Imagenette:
    """Images (3, size, size) in [0, 1]: the square in the middle of the picture, of which each
    pixel is the mean of those that lie in it.
    """

    size: int
    url: str = "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz"
    checksum: str = "md5:e793b78cc4c9e9a4ccc0c1155377a412"
    downloaded: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return f"Imagenette 3x{self.size}x{self.size}"

    def load(self) -> Splits:
        """Raises ImagenetteError, whose message names the file or the address."""
        return _load(self, os.environ.get(VARIABLE))


@cache  # the seeds of a task share one copy
def _load(data: Imagenette, local: str | None) -> Splits:
    archive = found(data.url, data.checksum, ImagenetteError)
    pictures: dict[str, dict[str, tuple[Pixels, int]]] = {"train": {}, "val": {}}
    for path, content in tar_files(archive, _wanted, ImagenetteError):
        part, kind = _named(path)
        pixels = squared(_decoded(archive, path, content), data.size)
        pictures[part][path] = pixels, CLASSES.index(kind)
    train, test = (_samples(archive, part, named) for part, named in pictures.items())
    validation = every_tenth(train.targets)
    return Splits(
        train=train.take(np.flatnonzero(~validation)),
        validation=train.take(np.flatnonzero(validation)),
        test=test,
    )


def _wanted(path: str) -> bool:
    return PICTURE.fullmatch(path) is not None


def _named(path: str) -> tuple[str, str]:
    """The part and the class."""
    _, part, kind, _ = path.split("/")
    return part, kind


def _decoded(archive: Path, path: str, content: bytes) -> NDArray[np.uint8]:
    """(height, width, 3)."""
    try:
        from PIL import Image
    except ImportError:
        raise ImagenetteError("Imagenette's pictures need Pillow: pip install pillow") from None
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImagenetteError(f"{path} in {archive} is no picture: {error}") from error


def squared(picture: NDArray[np.uint8], size: int) -> Pixels:
    """(3, size, size) of a picture (height, width, 3) that has at least as many pixels on each
    side. Sums of whole numbers, so that every machine has the same bits.
    """
    side = min(picture.shape[:2])
    if side < size:
        raise ImagenetteError(f"a picture of {side} pixels cannot be made one of {size}")
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    square = picture[top : top + side, left : left + side].astype(np.int64)
    ends = np.arange(size + 1) * side // size
    sums = np.add.reduceat(np.add.reduceat(square, ends[:-1], axis=0), ends[:-1], axis=1)
    counts = np.multiply.outer(np.diff(ends), np.diff(ends))[:, :, None]
    found: Pixels = (sums / (255 * counts)).transpose(2, 0, 1).astype(np.float32)
    return found


def _samples(archive: Path, part: str, named: dict[str, tuple[Pixels, int]]) -> Batch:
    """In the order of their classes and files, whatever the archive's."""
    if not named:
        raise ImagenetteError(f"{archive} has no pictures in imagenette2-160/{part}")
    pixels, labels = zip(*(named[path] for path in sorted(named)), strict=True)
    return Batch(inputs=np.stack(pixels), targets=np.array(labels, np.int32))
