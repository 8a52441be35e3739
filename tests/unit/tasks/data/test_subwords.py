"""Byte pair encoding: what is learnt, and that nothing is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tasks.data.subwords import BYTES, PART, join, learn

TEXTS = ("low low low low low", "lower lower", "newest newest newest newest newest newest", "été")


def test_the_most_frequent_pair_is_joined_first():
    """``we`` stands there 8 times, ``lo`` 7 and then ``ewe`` 6, as others of greater tokens."""
    found = learn(TEXTS, 3)
    w, e, low_l, o = b"welo"
    assert found.pairs == ((w, e), (low_l, o), (e, BYTES))
    assert found.tokens("low") == [BYTES + 1, w]
    assert found.tokens("ewes") == [BYTES + 2, *b"s"]


def test_no_pair_goes_from_a_word_to_the_next_or_is_learnt_from_one_sight():
    found = learn(["a b", "c d"], 10)
    assert found.pairs == ()
    assert all(" b" in PART.findall(f"a b{sign}c") for sign in ",=)")


def test_a_run_of_the_same_byte_is_joined_from_the_left():
    assert join([7, 7, 7], (7, 7), 300) == [300, 7]
    assert join([7, 7, 7, 7], (7, 7), 300) == [300, 300]
    found = learn(["aaaa aaaa aaaa"], 5)
    assert found.text(found.tokens("aaaaa")) == "aaaaa"


def test_the_same_is_learnt_from_the_same_texts():
    assert learn(TEXTS, 20) == learn(list(TEXTS), 20)


@given(st.text())
def test_every_text_can_be_written(text):
    found = learn(TEXTS, 20)
    assert found.text(found.tokens(text)) == text
