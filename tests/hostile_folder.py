"""Result folders as an enemy would write them: every text that a run may hold, made harmful."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from suite.store.schema import BlockRecord, MemoryRecord, PhaseRecord
from tests.sample_run import HOSTILE, sample_run
from tests.stored_run import same, store

TEXTS = {
    "markup": HOSTILE,
    "ends": '\'"--></style></script></title></textarea><svg onload="window.hacked = 1">',
    "link": "javascript:window.hacked=1",
    "formula": '=HYPERLINK("http://example.org",A1)',
    "plus": "+1+cmd|'/C calc'!A0",
    "minus": "-2+3+cmd|'/C calc'!A0",
    "at": "@SUM(1+1)*cmd",
    "tab": "\t=1+1",
    "return": "\r=1+1",
    "wide": "＝1+1",
    "path": "../../../../escaped",
    "absolute": "/escaped/by/name",
    "template": "{{ 7 * 7 }}{% raw %}${7*7}",
    "prototype": "__proto__",
    "constructor": "constructor",
    "control": "\x00\x07\x1b[2J\x1b]0;hacked\x07\x7f\x85",
    "bidi": "\u202egnp.exe\u2066\u2028\u2029",
    "number": "1e999",
    "nan": "NaN",
    "long": "<b>" + "x" * 50_000,
    "empty": "",
}
HUGE = {"seconds": 1e300, "steps": 2**52, "round": 2**52, "position": -(2**52)}


def hostile_folders(folder: Path) -> Iterator[Path]:
    """A run for each text, in which it stands wherever a text may, and one of huge numbers."""
    for number, text in enumerate(TEXTS.values()):
        yield _stored(folder, number, text)
    yield _stored(folder, len(TEXTS), "huge", huge=True)


def _stored(folder: Path, number: int, text: str, huge: bool = False) -> Path:
    names = ("cnn-tiny", "rnn-tiny", "jax", "torch")
    run = sample_run(
        folder,
        rename={name: f"{text} {name}" if name == "jax" else f"{text}{name}" for name in names},
        reason=text,
        id=f"20260314T150926Z-{number:08x}",
        label=text,
        command=text,
        profile=text,
        tribench=text,
    )
    told = {text: text, "key": text}
    environment = run.environment.model_copy(
        update={
            "cpu": text,
            "system": text,
            "gpus": [text],
            "settings": told,
            "coordinator": told,
            "backends": {text: told},
            "facts": {text: told},
            "driver": text,
            "allocator": text,
        }
    )

    def change(record):
        if isinstance(record, PhaseRecord) and record.cell is not None:
            return record.model_copy(update={"facts": told})
        if huge and isinstance(record, BlockRecord):
            return record.model_copy(update=HUGE)
        if huge and isinstance(record, MemoryRecord):
            return record.model_copy(update={"live": 2**52, "process": -(2**52)})
        return record

    place = folder / run.manifest.id
    return store(replace(run, path=place, environment=environment), change if told else same)
