"""A guess begins with a word of a closed list, which stands in the documentation."""

from __future__ import annotations

import re

import pytest

from suite.parity import optimizer_checks
from suite.parity.known_mistakes import layers, losses, optimizers
from suite.parity.known_mistakes.words import GUESSES, guess
from tests.conftest import ROOT
from tests.fixtures.layer_cases import EVERY, LOSSES, every

DOCUMENTED = re.search(
    r"<!-- guesses -->\n(.*?)<!-- end -->", (ROOT / "docs/parity.md").read_text(), re.DOTALL
)


def known() -> set[str]:
    """The words of every mistake that there is."""
    found = {one.word for _, given in every() for one in layers.mistakes(given)}
    found |= {one.word for loss in LOSSES for one in losses.mistakes(loss, {16})}
    found |= {one.word for o in EVERY.values() for one in optimizers.mistakes(o)}
    given = optimizer_checks.start()["fc.weight"]
    found |= {one.word for one in layers.of_statistics("running_var", 0.1, given, given, 9)}
    return found


def test_every_confusion_has_a_word_of_the_list_and_every_word_is_used():
    diagnosed = {"gradient", "precision", "unrepeatable"}  # which are no mistake's
    assert known() | diagnosed == set(GUESSES)


def test_the_documentation_has_the_same_list():
    assert DOCUMENTED is not None
    assert re.findall(r"^\| `(\w+)`", DOCUMENTED[1], re.MULTILINE) == sorted(GUESSES)


def test_a_guess_begins_with_its_word():
    assert guess("epsilon", "epsilon 0.001 in place of 1e-05").startswith("epsilon 0.001")
    assert guess("mask", "padding taken for steps") == "mask: padding taken for steps"
    with pytest.raises(AssertionError):
        guess("luck", "bad luck")
