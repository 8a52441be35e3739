"""A guess begins with a word of a closed list, which stands in the documentation."""

from __future__ import annotations

import re

import pytest

from suite.parity import drills
from suite.parity.confusions import layers, losses, optimizers, statistics
from suite.parity.confusions.words import GUESSES, guess
from tests.conftest import ROOT
from tests.unit.test_confusions import EVERY, every

DOCUMENTED = re.search(
    r"<!-- guesses -->\n(.*?)<!-- end -->", (ROOT / "docs/parity.md").read_text(), re.DOTALL
)


def known() -> set[str]:
    """The words of every confusion that there is."""
    found = {one.word for _, _, given in every() for one in layers.confusions(given)}
    found |= {word for word, *_ in losses.confusions({16})}
    found |= {
        confusion.field
        for name, drill in EVERY.items()
        if not drill.of_loss
        for confusion in optimizers.confusions(drill.optimizer)
    }
    given = drills.start()["fc.weight"]
    found |= {word for word, *_ in statistics.confusions("running_var", 0.1, given, given, 9)}
    return found


def test_every_confusion_has_a_word_of_the_list_and_every_word_is_used():
    diagnosed = {"gradient", "precision", "unrepeatable"}  # which are no confusion's
    assert known() | diagnosed == set(GUESSES)


def test_the_documentation_has_the_same_list():
    assert DOCUMENTED is not None
    assert re.findall(r"^\| `(\w+)`", DOCUMENTED[1], re.MULTILINE) == sorted(GUESSES)


def test_a_guess_begins_with_its_word():
    assert guess("epsilon", "epsilon 0.001 in place of 1e-05").startswith("epsilon 0.001")
    assert guess("mask", "padding taken for steps") == "mask: padding taken for steps"
    with pytest.raises(AssertionError):
        guess("luck", "bad luck")
