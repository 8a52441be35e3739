"""Every sign that is printed has words in ASCII."""

from __future__ import annotations

import io
import sys

from suite.report import streams
from tests.conftest import ROOT


def ascii_output(monkeypatch):
    """The bytes of a standard output in ASCII, prepared as a command prepares it."""
    written = io.BytesIO()
    for name in ("stdout", "stderr"):
        stream = io.TextIOWrapper(written, encoding="ascii", write_through=True)
        monkeypatch.setattr(sys, name, stream)
    streams.prepare()
    return written


def test_every_sign_of_the_source_has_words_in_ascii(monkeypatch):
    written = ascii_output(monkeypatch)  # here: between setup and call pytest sets its own
    told = {sign for path in (ROOT / "suite").rglob("*.py") for sign in path.read_text("utf-8")}
    shown = {sign for sign in told if not sign.isascii()} - {*"●■◆▲▼★○□◇△▽☆‖θΣα₆₄₀ᵗᵀΦπ√β"}
    assert len(shown) > 5
    for sign in shown:
        print(sign, end="")
        words = written.getvalue()
        assert words, sign
        assert b"?" not in words, sign
        written.seek(0)
        written.truncate()
    assert "x\udcff".encode("utf-8", "tribench") == b"x\xff"
    assert "\ud800\U0001f600".encode("ascii", "tribench") == b"??"
