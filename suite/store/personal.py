"""What of a text is personal: where something lies on somebody's machine, who that is, and what
the machine is called. A run holds none of it, but for its label.
"""

from __future__ import annotations

import getpass
import platform
import re
from contextlib import suppress
from pathlib import Path

PATH = re.compile(
    r"(?<![\w.<>/-])~?/(?:[\w.@+~-]+/)+[\w.@+~-]*"
)  # two names at least: "/s" is none
ESCAPED = re.compile(r'\\[nrt"]')  # within JSON
SHORTEST = 4  # a shorter name is in every text
ANYONE = {"root", "user", "admin", "runner", "ubuntu", "debian", "docker", "nobody", "localhost"}


def without_paths(text: str) -> str:
    """The text with every path reduced to the last of its names."""
    return PATH.sub(lambda path: path[0].rstrip("/").rpartition("/")[2], text)


def personal(text: str, label: str) -> list[str]:
    """What of a text, or of a file of JSON, is personal and not in the label: paths, and the names
    of the present user and machine.
    """
    text = ESCAPED.sub(" ", text)
    paths = [path[0] for path in PATH.finditer(text)]
    names = [name for name in _mine() if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)]
    return [found for found in dict.fromkeys([*paths, *names]) if found not in label]


def _mine() -> list[str]:
    names = [platform.node()]
    with suppress(RuntimeError):  # nor a folder
        names.append(Path.home().name)
    with suppress(KeyError, OSError):  # a container's user may have no name
        names.append(getpass.getuser())
    return [name for name in dict.fromkeys(names) if len(name) >= SHORTEST and name not in ANYONE]
