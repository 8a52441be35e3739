"""Signs that stand in a text as JSON, Python, C, addresses or HTML escape them, and signs that only
look like a separator of paths.
"""

from __future__ import annotations

import re
from html import unescape

PASSES = 4  # of one notation within another
RUNS = (  # what introduces a unit, its digits, their base, how the units of a run make signs
    (r"%(?:25)*", "[0-9a-f]{2}", 16, "utf-8"),
    (r"\\+x", "[0-9a-f]{2}", 16, "utf-8"),
    (r"\\+", "[0-3][0-7]{2}", 8, "utf-8"),
    (r"\\+u", "[0-9a-f]{4}", 16, "utf-16-be"),
)
READERS = [
    (re.compile(f"(?:{begin}{digits})+", re.I), re.compile(f"{begin}({digits})", re.I), base, codec)
    for begin, digits, base, codec in RUNS
]
ENTITY = re.compile(r"&(?:amp;)*(#\d{1,7}|#x[0-9a-f]{1,6}|\w{1,32});", re.I)
BACKSLASHED = re.compile(r"\\+(?=[\"'/])")
ALIKE = str.maketrans("\u2215\u2044\uff0f\u29f8\uff3c\u2216\ufe68\uff1a", "////\\\\\\:")
ANY = re.compile(r"[%&\u2215\u2044\uff0f\u29f8\uff3c\u2216\ufe68\uff1a]|\\[\\xuXU0-3\"'/]")


def plain(text: str) -> str:
    """The text with every such sign as itself."""
    for _ in range(PASSES):
        if not ANY.search(text):
            return text
        before = text
        for runs, unit, base, codec in READERS:
            text = runs.sub(lambda run: _signs(unit.findall(run[0]), base, codec), text)  # noqa: B023
        text = ENTITY.sub(lambda entity: unescape(f"&{entity[1]};"), text)
        text = BACKSLASHED.sub("", text).translate(ALIKE)
        if text == before:
            return text
    return text


def _signs(units: list[str], base: int, codec: str) -> str:
    width = 2 if codec == "utf-16-be" else 1
    return b"".join(int(u, base).to_bytes(width, "big") for u in units).decode(codec, "replace")
