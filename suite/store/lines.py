"""A record as a line of records.jsonl, and back.

A line is JSON with sorted keys, no spaces and, at its end, a ``checksum`` of the rest: the first 16
hexadecimal digits of its SHA-256. So a line that is intact is known by its bytes, before anything
is parsed; of 300 runs with 4 000 records each that saves a minute. A line in another order or with
spaces (written before, or by others) is put in this form first.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter

from suite.records.schema import AnyRecord, Record

RECORD: TypeAdapter[AnyRecord] = TypeAdapter(AnyRecord)
MARK = b',"checksum":"'
DIGITS = 16
MOST = 2**53  # whole numbers are below, so that every reader of JSON holds them exactly
# A whole number that may be more is looked at by parse. Found with every digit made a 0 and what a
# number may follow a colon: 2 ms of a run's 1.5 MB, for which a regular expression takes 12.
ROUGH = bytes(b"0:."[0 if 48 <= sign < 58 else 1 if sign in b":,[" else 2] for sign in range(256))
LARGE = b":" + b"0" * 16


def line_of(record: Record) -> bytes:
    """With its newline."""
    text = _canonical(record.model_dump(mode="json"))
    return text[:-1] + MARK + _digits(text) + b'"}\n'


def record_of(line: bytes) -> AnyRecord:
    """ValueError, with why, if the line is damaged or no record."""
    body, mark, end = line.rpartition(MARK)
    text = body + b"}"
    if mark and end == _digits(text) + b'"}' and LARGE not in text.translate(ROUGH, delete=b"-"):
        return RECORD.validate_json(text)
    data = parse(line)
    if not isinstance(data, dict):
        raise ValueError("it is no record")
    if data.pop("checksum", None) != checksum(data):
        raise ValueError("its checksum does not fit")
    return RECORD.validate_python(data)


def parse(text: bytes) -> Any:
    """JSON as a run holds it; ValueError with the reason for anything else, numbers included that
    no run has.
    """
    try:
        return json.loads(text, parse_int=_whole, parse_constant=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError:
        raise ValueError("it is not JSON" if text.strip() else "it is empty") from None


def _whole(digits: str) -> int:
    if len(digits) > 20 or abs(int(digits)) >= MOST:
        raise ValueError(f"a whole number of {len(digits)} digits is too large")
    return int(digits)


def _finite(name: str) -> float:
    raise ValueError(f"{name} is no number that a run has")


def checksum(data: dict[str, Any]) -> str:
    """See the module's docstring."""
    return _digits(_canonical(data)).decode()


def _canonical(data: dict[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _digits(text: bytes) -> bytes:
    return sha256(text).hexdigest()[:DIGITS].encode()
