"""WikiText-2: good and featured articles of Wikipedia as words (S. Merity et al., arXiv 1609.07843,
CC-BY-SA-3.0); 2.1 million words of training, in the published three parts.

The archive (4 MB) is downloaded once, checked, and kept in the user's cache folder, or taken from
the folder that TRIBENCH_DATA names. Its publisher's address has been dead at times.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from tasks.base import Splits
from tasks.data.archive import zip_file
from tasks.data.download import VARIABLE, found
from tasks.data.windows import windows

FILES = {"train": "train", "validation": "valid", "test": "test"}


class WikiTextError(ValueError):
    """An archive that is missing, damaged or another than the one that is meant."""


@dataclass(frozen=True, kw_only=True)
class WikiText2:
    """Windows of ``steps`` bytes of the tokens as they are written, rare words as ``<unk>``; of
    each part as many as are asked for.
    """

    steps: int
    train: int
    validation: int
    test: int
    url: str = "https://s3.amazonaws.com/research.metamind.io/wikitext/wikitext-2-v1.zip"
    checksum: str = "md5:542ccefacc6c27f945fb54453812b3cd"
    downloaded: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return f"WikiText-2, {self.train} x {self.steps} bytes"

    def load(self) -> Splits:
        """Raises WikiTextError, whose message names the file or the address."""
        return _load(self, os.environ.get(VARIABLE))


@cache  # the seeds of a task share one copy
def _load(data: WikiText2, local: str | None) -> Splits:
    archive = found(data.url, data.checksum, WikiTextError)
    texts = {
        part: zip_file(archive, f"wikitext-2/wiki.{name}.tokens", WikiTextError)
        for part, name in FILES.items()
    }
    return Splits(
        **{
            part: windows(
                [np.frombuffer(text, np.uint8)], data.steps, getattr(data, part), WikiTextError
            )
            for part, text in texts.items()
        }
    )
