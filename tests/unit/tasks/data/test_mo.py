"""Message catalogues in the format of GNU gettext."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tasks.data.mo import CatalogueError, messages

FILE = Path("some.mo")


def catalogue(pairs: dict[str, str], order: str = "<", version: int = 0) -> bytes:
    """As msgfmt writes it: the header, two tables, the texts, each with a zero behind it."""
    texts = [text.encode() + b"\0" for table in (pairs, pairs.values()) for text in table]
    count, start, table = len(pairs), 28, b""
    at = start + 16 * count
    for text in texts:
        table += struct.pack(f"{order}2I", len(text) - 1, at)
        at += len(text)
    head = struct.pack(f"{order}7I", 0x950412DE, version, count, 28, 28 + 8 * count, 0, 0)
    return head + table + b"".join(texts)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sources_come_with_their_translations_in_the_files_order(order):
    told = {
        "": "Content-Type: text/plain; charset=UTF-8\n",
        "Open": "Ouvrir",
        "menu\4Close": "Fermer l’élément",
        "%d file\0%d files": "%d fichier\0%d fichiers",
        "Not yet": "",
    }
    assert [*messages(FILE, catalogue(told, order))] == [
        ("Open", "Ouvrir"),
        ("Close", "Fermer l’élément"),
        ("%d file", "%d fichier"),
    ]


WHOLE = catalogue({"Open": "Ouvrir"})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "some.mo is no catalogue: it must begin with the number 0x950412de"),
        (b'msgid "Open"', "some.mo is no catalogue: it must begin"),
        (WHOLE[:20], "some.mo is no whole catalogue"),
        (WHOLE[:-4], "some.mo is no whole catalogue"),
        (WHOLE.replace(b"Ouvrir", b"Ouvri\xff"), "some.mo is no whole catalogue"),
        (catalogue({}, version=2 << 16), "its format is 2.0, not 0 or 1"),
    ],
)
def test_what_is_no_catalogue_is_named(content, words):
    with pytest.raises(CatalogueError, match=words) as caught:
        [*messages(FILE, content)]
    assert "\n" not in str(caught.value)
