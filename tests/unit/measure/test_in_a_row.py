"""When steps in a row are called others than steps that are waited for."""

from __future__ import annotations

import pytest

from suite.measure.in_a_row import TRIES, doubt, fault
from suite.worker.answers import InARow


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (InARow(40, 0.0, 0), None),
        (InARow(40, 0.01, 1), None),
        (InARow(40, 0.03, 0), "40 steps in a row without a wait end elsewhere"),
        (InARow(40, 0.3, 0, again=0.1), None),
        (InARow(40, 0.5, 0, again=0.1), "40 steps in a row without a wait end elsewhere"),
        (InARow(40, 0.0, 2), "2 of 40 steps over one batch left parameters where they were"),
        (InARow(200, 0.0, 4), None),
    ],
)
def test_a_few_steps_that_are_left_out_are_told(found, words):
    why = doubt(found, "float32")
    assert why is None if words is None else words in why


def test_rounding_to_bfloat16_may_lead_further():
    assert doubt(InARow(40, 0.03, 0), "bfloat16") is None


@pytest.mark.parametrize("good", [0, 1, TRIES - 1])
def test_one_good_answer_is_enough(good):
    answers = [InARow(40, 0.0 if number == good else 0.5, 0) for number in range(TRIES)]
    assert fault(iter(answers).__next__, "float32") is None


def test_what_all_answers_say_is_told():
    assert "off by 0.5" in fault(lambda: InARow(40, 0.5, 0), "float32")
