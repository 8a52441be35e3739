"""What is private in a text of somebody else's code: values of the process environment that no run
publishes, and the names of the present user and machine.

The rule, by what is certain:

1. ``NAME=value`` and ``'NAME': 'value'``, as an environment is printed: the pair, whatever it is.
2. A value, a line of it or an account of an address in it, from 6 signs on, unless it is usual: a
   word, a number, a version, a locale; or a path, which is shortened as every path is.
3. Where the variable's name says that it is secret, from 4 signs on, and every part of it.

Variables whose effect is known (suite.worker.variables) are published, with their values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import unquote

from suite.records.notation import plain
from suite.records.personal import START, as_name, names
from suite.worker.variables import changes

Data = TypeVar("Data")
AT_FIRST = dict(os.environ)  # an adapter may take a token out when it is imported
INSTEAD = "***"
SHORTEST, SHORTEST_SECRET = 6, 4
SECRET = re.compile(
    "TOKEN(?!IZ)|KEY|SECRET|PASS|(?<=_)PWD|CRED|AUTH|COOKIE|PRIVATE|SIGNATURE|LICEN[CS]E|WEBHOOK|DSN"
    "|(?<![A-Z])(?:PW|PIN|PAT|SAS)(?![A-Z])",
    re.IGNORECASE,
)
SWITCHES = {"true", "false", "none", "null", "auto", "default"}
USUAL = re.compile(  # words, as TensorFlow; numbers, versions; what a system is set to
    r"(?=.{1,15}$)(?:(?:[A-Z]?[a-z]+){1,2}|[A-Z]+|[+-]?\d{1,10}(?:\.\d+){0,2}(?:e[+-]?\d+)?"
    r"|(?:b?float|u?int|bf|fp|tf)\d+|(?:cuda|cpu|gpu):\d+|x86_64|[a-z]+-256color"
    r"|(?:C|[a-z]{2}_[A-Z]{2})\.(?:UTF|utf)-?8)"
)
ACCOUNT = re.compile(r"://([^\s/@:]*):?([^\s/@]*)@")
REPEATED = re.compile(r"\*{3}(?:,? ?\*{3})+")
SIGNS = re.compile(r"\\+|[^\\]", re.DOTALL)
ESCAPED = {  # by sign, or by the first of several backslashes: what may stand for it
    "\\": r"\\*",
    **{mark: rf"\\*{mark}" for mark in "\"'"},
    **{sign: rf"(?:{sign}|\\+{name})" for sign, name in zip("\n\r\t\b\f", "nrtbf", strict=True)},
}
LETTER = re.compile(r"\w")
PARTS = re.compile(r"[\s\"',;:=&@?/{}()\[\]]+")


def without_private(text: str) -> str:
    """The text without it, in whatever notation it stands there."""
    private = _pattern(frozenset(AT_FIRST.items() | os.environ.items()), tuple(names()))
    kept = private.sub(INSTEAD, text)
    others = [(read, private.sub(INSTEAD, read)) for read in (plain(kept), plain(text))]
    least = min([kept, *(other for read, other in others if other != read)], key=len)
    return REPEATED.sub(INSTEAD, least)


def all_without_private(data: Data) -> Data:
    """All texts of an answer, names of fields too."""
    found: Any = data
    if isinstance(data, str):
        found = without_private(data)
    elif isinstance(data, dict):
        found = {all_without_private(k): all_without_private(v) for k, v in data.items()}
    elif isinstance(data, list | tuple):
        found = [*map(all_without_private, data)]
    return cast(Data, found)


@lru_cache(maxsize=2)
def _pattern(variables: frozenset[tuple[str, str]], mine: tuple[str, ...]) -> re.Pattern[str]:
    known = changes()
    unknown = sorted(each for each in variables if each[0] not in known or _is_serial(each[1]))
    values = {value for each in unknown for value in _values(*each)}
    values |= {*map(plain, values)}
    longest = sorted(filter(LETTER.search, values), key=len, reverse=True)
    pairs = (_pair(*each) for each in unknown)
    return re.compile("|".join([*pairs, *map(_as_value, longest), *map(as_name, mine)]) or "$.")


def _is_serial(value: str) -> bool:
    """Of a device, which is not published (suite.worker.environment.disclosed)."""
    return value.startswith(("GPU-", "MIG-"))


def _values(name: str, value: str) -> Iterator[str]:
    """What of a variable's value is looked for."""
    if SECRET.search(name):
        if len(value) >= SHORTEST_SECRET and value.lower() not in SWITCHES:
            yield value
        yield from (part for part in PARTS.split(value) if _tells(part))
    accounts = [unquote(each) for found in ACCOUNT.findall(value) for each in found]
    yield from (each for each in accounts if len(each) >= SHORTEST_SECRET)
    yield from (line for line in (value, *value.splitlines()) if _tells(line))


def _tells(value: str) -> bool:
    return len(value) >= SHORTEST and not USUAL.fullmatch(value) and not START.match(value)


def _pair(name: str, value: str) -> str:
    begin = rf"(?<!\w)b?['\"]?{re.escape(name)}['\"]?(?:=|[:,] ?)b?['\"]?"
    return rf"{begin}{_written(value)}(?!\w)['\"]?"


def _as_value(value: str) -> str:
    """Wherever it stands; what may be in a word by chance, only as a word."""
    if len(value) >= SHORTEST and not USUAL.fullmatch(value):
        return _written(value)
    return rf"(?:(?<!\w)|(?<=\\[nrt])){_written(value)}(?!\w)"


def _written(value: str) -> str:
    """A pattern of it as it stands within quotation marks, and these within others."""
    return "".join(ESCAPED.get(sign[0]) or re.escape(sign) for sign in SIGNS.findall(value))
