"""What of a text is personal: where something lies on somebody's machine, who that is, and what
the machine is called. A run holds none of it, but for its label.

A path in a message has no certain end, since names may hold spaces, commas and brackets. Whatever
may belong to one is taken for it up to its last separator: rather a word too few than a name told.
"""

from __future__ import annotations

import getpass
import json
import platform
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from suite.records.notation import plain

SHORTEST = 4  # a shorter name is in every text
ANYONE = {"root", "user", "admin", "runner", "ubuntu", "debian", "docker", "nobody", "localhost"}
HOME = "~"  # stands for a home folder, whose last name is its owner's
HOMES = {"home", "homes", "users"}  # folders of home folders
UNITS = "s|ms|µs|us|ns|min|h|step|sample|token|epoch|launch|core|thread|batch"  # 3 /s is no path

SPACE = r"[^\S\n\r\t\f\v]"
# After a space and before a separator: where another path begins, and this one has ended.
OTHER = r"-[\w,=-]+|~[\w.*-]*|\$\{?\w+\}?|\.{1,2}"


def _folders(separators: str) -> re.Pattern[str]:
    """Names of folders, each with its separators. A quotation mark within a word is part of a name;
    so is a colon before more of it.
    """
    sign = rf"(?:[^\s\"'`<>|:{separators}]|(?<=\w)'(?=\w)|:(?=[^\s/\\]))"
    return re.compile(
        rf"(?:{sign}+(?:{SPACE}+(?!(?:{OTHER})[{separators}]){sign}+)*[{separators}]+)*"
    )


FOLDERS, WINDOWS = _folders("/"), _folders(r"/\\")
LAST = re.compile(r"(?:[^\s\"'`<>|:/\\]|(?<=\w)'(?=\w)|:(?=[^\s/\\]))+")
START = re.compile(
    r"""(?: (?<![\w)./~$\\-]) | (?<=\\[nrt?]) | (?<=\\\?\\)  # what is no part of something longer
        | (?<![\w-]) -(?:[A-Za-z] (?=[/~.$]) | -?[A-Za-z][\w-]+ (?=/(?:home|Users|usr|opt|tmp)/)) )
    (?: (?P<owner> ~[A-Za-z_*][\w.*-]*/+ | [\w.+*-]+@[\w.*-]+:(?=[/~]) )
      | (?P<windows> [A-Za-z]:(?:\\+|/(?!/)) | \\{2,4}(?=[\w.$-]{2,}\\) | %\w+%\\+ )
      | (?P<plain> (?:file|nfs|smb|afp|s?ftp|ssh):/+ | [A-Za-z][\w+.-]*:///+
          | ~/+ | \.{1,2}/+ | \$\{?\w+\}?/+ | (?<!\w:)//+ | /(?!/) ) )
    """
    rf"(?!(?:{UNITS})s?\s)",
    re.VERBOSE,
)
SECRET = re.compile(  # accounts and queries of addresses, where tokens stand
    r"""(?<=://)[^\s/@"'<>]+@ | (?<=://)(?P<address>[^\s?"'<>]+)\?[^\s"'<>]+""", re.VERBOSE
)
COLOURS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")  # a terminal's, ECMA-48
ESCAPED = re.compile(r'\\[nrt"]')  # within JSON


class Place(NamedTuple):
    """Where in a text something personal stands, and what of it may."""

    start: int
    end: int
    instead: str


def without_paths(text: str) -> str:
    """The text with every path, in whatever notation, reduced to the last of its names, home
    folders to ``~``, and without the accounts and queries of addresses.
    """
    kept, read = _shortened(text), plain(text)
    if read == text:
        return kept
    # \x64 may be a folder of Windows, no escaped sign: of both readings the one that tells less.
    others = [(each, _shortened(each)) for each in (plain(kept), read)]
    return min([kept, *(short for each, short in others if short != each)], key=len)


def _shortened(text: str) -> str:
    while places := [*_places(text)]:  # what is left of one may be another
        for place in reversed(places):
            text = text[: place.start] + place.instead + text[place.end :]
    return text


def personal(text: str, label: str) -> list[str]:
    """What of a text, or of a file of JSON, is personal and not in the label: paths, accounts, and
    the names of the present user and machine.
    """
    found = dict[str, None]()
    mine = re.compile("|".join(map(as_name, names())) or "$.")
    for each in [reading for one in _strings(text) for reading in {one, plain(one)}]:
        found |= dict.fromkeys(_named(each, place) for place in _places(each))
        found |= dict.fromkeys(mine.findall(each))
    return [one for one in found if one not in label]


def names() -> list[str]:
    """Of the present machine and user, where they tell something."""
    found = [platform.node()]
    with suppress(KeyError, OSError, RuntimeError):  # a container's user may have no name or home
        found.append(Path.home().name)
    with suppress(KeyError, OSError):
        found.append(getpass.getuser())
    return [name for name in dict.fromkeys(found) if len(name) >= SHORTEST and name not in ANYONE]


def as_name(name: str) -> str:
    """A pattern of it, in capitals or not and with any sign between its parts, where it is no part
    of another.
    """
    parts = r"[\W_]?".join(re.escape(part) for part in re.split(r"[\W_]+", name) if part)
    return rf"(?<![\w.-])(?i:{parts})(?![\w-])"


def _places(text: str) -> Iterator[Place]:
    """One after the other."""
    if "/" not in text and "\\" not in text:
        return
    for colour in COLOURS.finditer(text):
        yield Place(colour.start(), colour.end(), "")
        return  # the others once this is away
    for secret in SECRET.finditer(text):
        yield Place(secret.start(), secret.end(), secret["address"] or "")
        return
    if (home := _home()) and (own := home.search(text)):
        yield Place(own.start(), own.end(), HOME)
        return
    at = 0
    while start := START.search(text, at):
        place = _place(text, start)
        if place is not None:
            yield place
        at = max(start.end(), place.end if place else 0)


def _place(text: str, start: re.Match[str]) -> Place | None:
    """The folders of a path that begins so; None if it has none."""
    separators = r"[\\/]+" if start["windows"] else "/+"
    kind = next(kind for kind in ("owner", "windows", "plain") if start[kind])
    begin, after = start.span(kind)
    end, close = _ends(text, begin, after, bool(start["windows"]))
    names = [name for name in re.split(separators, text[after:end]) if name]
    if close > end:
        if names and names[-1].lower() in HOMES:
            return Place(begin, close, HOME)
        return Place(begin, end, "") if names or start["owner"] else None
    if len(names) < 2:
        return Place(begin, end, HOME * (text[begin] == HOME)) if start["owner"] else None
    return Place(begin, end, HOME if names[-2].lower() in HOMES else names[-1])


def _ends(text: str, begin: int, after: int, windows: bool) -> tuple[int, int]:
    """Where the folders end that a path has after its beginning, and where its last name."""
    mark = text[begin - 1 : begin]
    if mark and mark in "\"'`":  # to the next that ends a word
        closing = re.compile(rf"{mark}(?!\w)|[\n\r]").search(text, after)
        if closing is not None and closing[0] == mark:
            inside = text[: closing.start()]
            last = max(inside.rfind("/", begin), inside.rfind("\\", begin) if windows else -1)
            return max(after, last + 1), closing.start()
    found = (WINDOWS if windows else FOLDERS).match(text, after)
    end = found.end() if found else after
    last_name = LAST.match(text, end)
    if last_name is None:
        return end, end
    kept = last_name[0].rstrip(".,;:)]}") or last_name[0]
    return end, end + len(kept)


def _named(text: str, place: Place) -> str:
    """For a reader who looks for it: with its last name, as far as that is certain."""
    last = LAST.match(text, place.end) if place.instead == "" else None
    return text[place.start : last.end() if last else place.end]


def _strings(text: str) -> set[str]:
    """Of JSON, or of lines of JSON, all that is text, names of fields too; else the text itself."""
    try:
        return set(_within(json.loads(text)))
    except (ValueError, RecursionError):
        lines = text.splitlines()
    if len(lines) > 1:
        return set[str]().union(*map(_strings, lines))
    return {ESCAPED.sub(" ", text)}


def _within(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, list):
        for one in data:
            yield from _within(one)
    elif isinstance(data, dict):
        for name, one in data.items():
            yield name
            yield from _within(one)


def _home() -> re.Pattern[str] | None:
    """This user's home folder as it is written; None where it says nothing."""
    try:
        home = str(Path.home()).rstrip("/\\")
    except (KeyError, OSError, RuntimeError):
        return None
    return _whole(home) if home else None


@cache
def _whole(path: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.~-]){re.escape(path)}(?![\w.-])")
