"""Multi30k: descriptions of 31,000 photographs in English and German (D. Elliott et al., arXiv
1605.00459; the texts are those of WMT16's multimodal task), 29,000 of them for training, in the
published three parts.

The archives (1.2 MB) are downloaded once, checked, and kept in the user's cache folder, or taken
from the folder that TRIBENCH_DATA names. The first address, of the University of Sheffield, is
dead; the one here is torchtext's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from tasks.base import Splits
from tasks.data.archive import tar_files
from tasks.data.download import VARIABLE, found
from tasks.data.pairs import Pairs, Text

FOLDER = "https://raw.githubusercontent.com/neychev/small_DL_repo/master/datasets/Multi30k"
ARCHIVES = {  # and what its files' names begin with
    "train": ("training.tar.gz", "train"),
    "validation": ("validation.tar.gz", "val"),
    "test": ("mmt16_task1_test.tar.gz", "test"),
}
LANGUAGES = ("en", "de")


class Multi30kError(ValueError):
    """An archive that is missing, damaged or another than the one that is meant."""


@dataclass(frozen=True, kw_only=True)
class Multi30k(Pairs):
    """From English to German. ``checksums`` are the archives' sha256."""

    url: str = FOLDER
    checksums: tuple[str, str, str] = (
        "20140d013d05dd9a72dfde46478663ba05737ce983f478f960c1123c6671be5e",
        "a7aa20e9ebd5ba5adce7909498b94410996040857154dab029851af3a866da8c",
        "6d1ca1dba99e2c5dd54cae1226ff11c2551e6ce63527ebb072a1f70f72a5cd36",
    )
    downloaded: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return f"Multi30k in English and German, {self.steps} of {self.vocabulary}"

    def load(self) -> Splits:
        """Raises Multi30kError, whose message names the file or the address."""
        return _load(self, os.environ.get(VARIABLE))


@cache  # the seeds of a task share one
def _load(data: Multi30k, local: str | None) -> Splits:
    archives = zip(ARCHIVES.items(), data.checksums, strict=True)
    parts = {part: _pairs(data, *named, checksum) for (part, named), checksum in archives}
    return data.splits(parts, Multi30kError)


def _pairs(data: Multi30k, name: str, begin: str, checksum: str) -> list[Text]:
    archive = found(f"{data.url}/{name}", f"sha256:{checksum}", Multi30kError)
    wanted = [f"{begin}.{language}" for language in LANGUAGES]
    files = dict(tar_files(archive, wanted.__contains__, Multi30kError))
    for missing in (each for each in wanted if each not in files):
        raise Multi30kError(f"{archive} has no file {missing}")
    try:
        source, target = (files[each].decode("utf-8").splitlines() for each in wanted)
    except UnicodeDecodeError as error:
        raise Multi30kError(f"{archive} has a text that is not UTF-8: {error}") from error
    if len(source) != len(target):
        lines = f"{len(source)} lines in {wanted[0]} and {len(target)} in {wanted[1]}"
        raise Multi30kError(f"{archive} has {lines}")
    return [pair for pair in zip(source, target, strict=True) if all(map(str.strip, pair))]
