"""CIFAR-10: 60000 colour photographs of 32x32 pixels in 10 classes (A. Krizhevsky, Learning
Multiple Layers of Features from Tiny Images, 2009; https://www.cs.toronto.edu/~kriz/cifar.html).

Split: 45000 train, 5000 validation, 10000 test, which is the set's own test batch.

The archive is downloaded once, checked, and kept in the user's cache folder. Where the environment
variable TRIBENCH_DATA names a folder, the archive or the unpacked ``cifar-10-batches-py`` in it is
read, and nothing is downloaded even if neither is there: who names a folder may be offline, or mean
other files than the published ones. Unpacked files may hold any number of images; they are checked
for what is in them, not by checksum. The archive is read where it lies, never unpacked.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from tasks.base import Batch, Splits
from tasks.data.archive import tar_files
from tasks.data.cifar10_batch import SHAPE, Cifar10Error, Images, Labels, read_batch
from tasks.data.download import VARIABLE, check, download
from tasks.data.split import every_tenth

ARCHIVE, FOLDER = "cifar-10-python.tar.gz", "cifar-10-batches-py"
TRAIN, TEST = tuple(f"data_batch_{number}" for number in range(1, 6)), "test_batch"
FILES = (*TRAIN, TEST)


@dataclass(frozen=True, kw_only=True)
class Cifar10:
    """Images (3, crop, crop) in [0, 1], the centre ``crop`` pixels kept; in float32, because in
    float64 they would take 1.5 GB. ``checksum`` is the one on the set's page.
    """

    crop: int = SHAPE[-1]
    url: str = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
    checksum: str = "md5:c58f30108f718f92721af3b95e74349a"
    downloaded: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return f"CIFAR-10 3x{self.crop}x{self.crop}"

    def load(self) -> Splits:
        """Raises Cifar10Error, whose message names the file or the address."""
        return _load(self, os.environ.get(VARIABLE))


@cache  # the seeds of a task share one copy, 0.7 GB at 32 pixels
def _load(data: Cifar10, local: str | None) -> Splits:
    folder, contents = _read(data, local)
    batches = {name: read_batch(folder / name, contents[name]) for name in FILES}
    images = np.concatenate([batches[name][0] for name in TRAIN])
    labels = np.concatenate([batches[name][1] for name in TRAIN])
    validation = every_tenth(labels)
    return Splits(
        train=_samples(images[~validation], labels[~validation], data.crop),
        validation=_samples(images[validation], labels[validation], data.crop),
        test=_samples(*batches[TEST], data.crop),
    )


def _samples(images: Images, labels: Labels, crop: int) -> Batch:
    start = (SHAPE[-1] - crop) // 2
    kept = images[:, :, start : start + crop, start : start + crop]
    return Batch(inputs=kept.astype(np.float32) / np.float32(255), targets=labels)


def _read(data: Cifar10, local: str | None) -> tuple[Path, dict[str, bytes]]:
    """The folder of the six files, be it one inside the archive, and what they hold."""
    if not local:
        return _read_archive(download(data.url, data.checksum, ARCHIVE, Cifar10Error))
    root = Path(os.path.expanduser(local))
    if os.path.lexists(root / FOLDER):
        return _read_folder(root / FOLDER)
    if any(os.path.lexists(root / name) for name in FILES):
        return _read_folder(root)
    archive = root / ARCHIVE
    if not os.path.lexists(archive):
        remedy = f"put one of them there, or unset {VARIABLE} to download {data.url}"
        raise Cifar10Error(f"{VARIABLE}={local} has neither {FOLDER} nor {ARCHIVE}; {remedy}")
    check(archive, data.checksum, Cifar10Error, other="or unpack it there to use it as it is")
    return _read_archive(archive)


def _read_folder(folder: Path) -> tuple[Path, dict[str, bytes]]:
    try:
        return folder, {name: (folder / name).read_bytes() for name in FILES}
    except OSError as error:
        what = f"{error.filename} cannot be read: {error.strerror}"
        raise Cifar10Error(f"{what}; CIFAR-10 is {TRAIN[0]} to {TRAIN[-1]} and {TEST}") from error


def _read_archive(archive: Path) -> tuple[Path, dict[str, bytes]]:
    paths = {f"{FOLDER}/{name}": name for name in FILES}
    found = tar_files(archive, lambda path: path in paths, Cifar10Error)
    contents = {paths[path]: content for path, content in found}
    for name in FILES:
        if name not in contents:
            raise Cifar10Error(f"{archive} has no file {FOLDER}/{name}")
    return archive / FOLDER, contents
