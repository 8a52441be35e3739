"""What others have published about the same model: yardsticks, which are no measurements of ours.

``yardsticks.json`` has them with source and date. One stands beside a cell of the same model, phase
and precision, on the same device, and nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from suite.records.schema import CellSummary

FILE = "yardsticks.json"


@dataclass(frozen=True, kw_only=True)
class Yardstick:
    """A published rate: ``value`` samples a second with ``batch`` samples, where that is told.
    ``device`` are words of the device's name. ``precision`` is ours that comes closest to what the
    source has ``stated``. ``read`` is the day on which the source was read.
    """

    model: str
    phase: str
    device: str
    precision: str
    stated: str
    batch: int | None
    value: float
    software: str
    source: str
    read: str


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A cell of ours and a yardstick; ``ratio`` is ours over the published rate."""

    cell: CellSummary
    yardstick: Yardstick
    ratio: float


@cache
def yardsticks() -> tuple[Yardstick, ...]:
    """All of them."""
    text = files("suite.analysis").joinpath(FILE).read_text(encoding="utf-8")
    return tuple(Yardstick(**one) for one in json.loads(text))


def beside(cells: Iterable[CellSummary], gpus: Sequence[str]) -> list[Beside]:
    """The measured cells that have yardsticks. ``gpus`` are those of the machine by their names; of
    several kinds nobody knows which one a cell was measured on.
    """
    device = gpus[0] if len(set(gpus)) == 1 else ""
    return [
        Beside(cell=cell, yardstick=one, ratio=cell.samples_per_second / one.value)
        for cell in cells
        if cell.samples_per_second is not None and cell.device == "cuda"
        for one in yardsticks()
        if (one.model, one.phase, one.precision) == (cell.task, cell.phase, cell.precision)
        and _has(device, one.device)
    ]


def _has(name: str, wanted: str) -> bool:
    """Are all words in the name of the device?"""
    return {*_words(wanted)} <= {*_words(name)}


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)
