"""Colours of backends."""

from __future__ import annotations

import pytest

from backends.framework import Framework
from suite.report.page import styles as module
from suite.report.page.styles import COLOURS, styles
from suite.worker.frameworks import KNOWN


def colours(*backends):
    found = styles([(backend, "compiled") for backend in backends])
    return [found[backend, "compiled"].colour for backend in backends]


def test_a_backend_has_its_colour_whatever_stands_beside_it():
    names = [name for name, each in KNOWN.items() if each.colour is not None]
    alone = {name: colours(name)[0] for name in names}
    assert len({*alone.values()}) == len(names)
    assert colours("mine", *reversed(names))[1:] == [alone[name] for name in reversed(names)]
    assert colours("mine", *names)[0] not in alone.values()


@pytest.mark.parametrize("count", [3, 6, 7, 13])
def test_all_have_one_and_no_two_the_same_while_there_are_some(count):
    found = colours("torch", *(f"b{number}" for number in range(count - 1)))
    assert {*found} <= {*COLOURS}
    assert len({*found}) == min(count, len(COLOURS))


@pytest.mark.parametrize("colour", [0, 99, -1])
def test_a_colour_that_is_taken_or_not_there_is_another(colour, monkeypatch):
    monkeypatch.setattr(module, "KNOWN", KNOWN | {"mine": Framework(name="Mine", colour=colour)})
    torch, mine = colours("torch", "mine")
    assert torch == colours("torch")[0]
    assert mine in COLOURS
    assert mine != torch


def test_eager_is_hollow_and_dashed():
    found = styles([("torch", "eager"), ("torch", "compiled")])
    eager, compiled = found["torch", "eager"], found["torch", "compiled"]
    assert eager.colour == compiled.colour
    assert (eager.dash, compiled.dash) == ("dash", "solid")
    assert eager.symbol == f"{compiled.symbol}-open"
    assert eager.glyph != compiled.glyph
