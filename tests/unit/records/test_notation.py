"""Escaped signs, and what they stand for."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.records.notation import plain


@pytest.mark.parametrize(
    "text",
    [
        *(r"\/a", r"\\/a", r"\u002fa", r"\\u002Fa", r"\x2fa", r"\057a", "%2Fa", "%252fa"),
        *("&#47;a", "&#x2F;a", "&amp;#x2f;a", "&sol;a", "∕a", "⁄a", "／a", "⧸a", r"\u2215a"),
    ],
)
def test_a_separator_in_every_notation(text):
    assert plain(text) == "/a"


@pytest.mark.parametrize("text", ["100 %", "a & b;", r"\d+\w", "C:\\Users", "%d of %s", "&c;", ""])
def test_other_signs_stay(text):
    assert plain(text) == text


@given(st.text(st.characters(exclude_categories=("C",), exclude_characters="%&\\∕⁄／⧸＼∖﹨：")))
def test_what_others_escape_is_read(text):
    for escaped in (quote(text, safe=""), html.escape(text), text):
        assert plain(escaped) == text
    bare = text.replace('"', "")
    assert plain(json.dumps(bare)[1:-1]) == bare
    assert plain("".join(f"\\x{byte:02x}" for byte in text.encode())) == text


@given(st.text(st.sampled_from("%&#;\\xuU02f5c/47amp∕")))
def test_any_text_can_be_read(text):
    assert len(plain(text)) <= len(text)
