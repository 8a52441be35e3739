"""A file of weights as it is printed, with names of any signs."""

from __future__ import annotations

import json

import numpy as np
from rich.console import Console

from suite.report.terminal.weights import MOST_NAMED, found_in, show_answers, show_found
from suite.weights.check import Answer
from suite.weights.checkpoint import look
from suite.weights.contents import Contents
from tasks.models.catalogue import MODELS
from tasks.parameters import initial, initial_buffers

MODEL = MODELS["resnet50"].make(classes=3, blocks=(1, 1, 1, 1), width=2, size=64)


def checkpoint(**more):
    arrays = initial(MODEL, 0) | initial_buffers(MODEL) | more
    stored = {"fc.bias": "bfloat16"}
    return look(Contents(arrays=arrays, stored=stored), "resnet50", "tribench", {})


def printed(show, *given):
    console = Console(width=120, record=True)
    show(*given, console)
    return console.export_text()


def test_a_model_is_shown_whole():
    text = printed(show_found, checkpoint())
    assert "resnet50: 87 of 87 arrays" in text
    assert "blocks (1, 1, 1, 1)" in text
    assert "2 x 3 x 7 x 7" in text
    assert "float64 86, bfloat16 1" in text
    assert "Missing" not in text


def test_what_is_wrong_is_shown_and_no_name_is_obeyed():
    hostile = {f"[red]x{number}\x1b[2J": np.zeros(1) for number in range(MOST_NAMED + 2)}
    found = checkpoint(**{"fc.bias": np.full(3, np.nan), "bn1.bias": np.zeros(7), **hostile})
    text = printed(show_found, found)
    assert "bn1.bias has 7, and bn1.bias is of 2" in text
    assert "[red]x0 [2J" in text
    assert "and 2 more" in text
    assert "\x1b" not in text
    assert text.count("fc.bias") == 3  # twice in the table, and as one that is not finite
    data = json.loads(json.dumps(found_in(found)))
    assert len(data["left_over"]) == MOST_NAMED + 2
    assert data["misshapen"] == {"bn1.bias": ["bn1.bias", [7], [2]]}
    assert data["not_finite"] == ["fc.bias"]


def test_answers_are_shown_with_their_reasons():
    named = {"backend": "torch", "execution": "eager", "precision": "float32"}
    same = Answer(**named, verdict="same", off=1e-7, alike=1, guesses=2, seconds=1.0)
    failed = Answer(**named, verdict="failed", why="[b]no\x1b")
    text = printed(show_answers, [same, failed])
    assert "1.0e-07" in text
    assert "1 of 2" in text
    assert "failed: [b]no" in text
    assert printed(show_answers, []) == ""
