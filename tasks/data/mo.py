"""Message catalogues as ``msgfmt`` writes them: the source and the translation of every message.

The format is in GNU gettext's manual, section 10.3, "The Format of GNU MO Files". The standard
library's ``gettext`` reads it too, but only gives the translation of a source that is known.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

MAGIC = 0x950412DE
CONTEXT = "\x04"  # stands behind what tells equal sources apart
PLURAL = "\0"  # stands between the forms of a message


class CatalogueError(ValueError):
    """Messages that are missing, or others than those that are meant; the message says what to
    do.
    """


def messages(file: Path, content: bytes) -> Iterator[tuple[str, str]]:
    """Each source with its translation, in the file's order, without its context; of those with
    plurals the first form. Left out are the header, whose source is empty, and what nobody has
    translated. CatalogueError names the ``file``.
    """
    order = next((o for o in "<>" if content[:4] == struct.pack(f"{o}I", MAGIC)), None)
    if order is None:
        raise CatalogueError(f"{file} is no catalogue: it must begin with the number {MAGIC:#x}")
    try:
        version, count, sources, translations = struct.unpack_from(f"{order}4I", content, 4)
        if version >> 16 > 1:
            what = f"its format is {version >> 16}.{version & 0xFFFF}"
            raise CatalogueError(f"{file} is no catalogue that can be read: {what}, not 0 or 1")
        rows = f"{order}{2 * count}I"  # the length and the start of each text
        tables = [struct.unpack_from(rows, content, at) for at in (sources, translations)]
        for row in range(0, 2 * count, 2):
            source, translation = (_text(content, *table[row : row + 2]) for table in tables)
            source = source.rpartition(CONTEXT)[2]
            if source and translation:
                yield source, translation
    except (struct.error, UnicodeDecodeError) as error:
        raise CatalogueError(f"{file} is no whole catalogue: {error}") from error


def _text(content: bytes, length: int, start: int) -> str:
    """The first form of the text there; struct.error where the content ends before it."""
    (found,) = struct.unpack_from(f"{length}s", content, start)
    text: str = found.decode("utf-8")
    return text.partition(PLURAL)[0]
