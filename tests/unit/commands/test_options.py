"""What is made of options that several commands share."""

from __future__ import annotations

import inspect
from dataclasses import fields

from suite.commands import run, upgrade
from suite.commands.options import chosen
from suite.plan.options import Choice


def test_every_choice_has_an_option_of_its_name():
    options = inspect.signature(run.command).parameters
    for each in fields(Choice):
        name = each.name.removesuffix("s") if isinstance(each.default, tuple) else each.name
        assert name in options, each.name
        assert name != each.name or options[name].default == each.default


def test_what_was_typed_is_chosen():
    typed = {"task": ["cnn-*,rnn-tiny", "gpt-tiny"], "batch_size": [8, 16], "seeds": 2}
    found = chosen(typed | {"label": "mine", "output": "x"})
    assert found == Choice(
        tasks=("cnn-*", "rnn-tiny", "gpt-tiny"), batch_sizes=(8, 16), seeds=2, label="mine"
    )
    assert chosen({"task": None, "label": None}) == Choice()


def test_an_upgrade_takes_the_options_of_a_run_but_for_its_arms():
    theirs = {*inspect.signature(run.command).parameters} - {"python", "with_"}
    assert theirs <= {*inspect.signature(upgrade.command).parameters}
