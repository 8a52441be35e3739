"""Parity's page without a browser: what is on it, and what is not."""

from __future__ import annotations

import json
import re

from suite.parity.thresholds import LIMITS
from suite.report.parity_figures import figures
from suite.report.parity_page import render_parity
from tests.sample_parity import HOSTILE, PROGRAMS, all_the_same, answer, every_verdict

VERSIONS = {"torch": {"python": "3.11", "torch": "2.13.0"}}


def page(results) -> str:
    return render_parity(results, LIMITS, VERSIONS)


def test_the_first_lines_tell_what_was_found():
    html = page(all_the_same())
    assert html.count('<li class="good">') == 3
    assert "Is it the same function? 10 of 10" in html
    wrong = page(every_verdict())
    assert wrong.count('<li class="bad">') == 3
    assert "transformer-tiny in mine eager (precision loss)" in wrong


def test_what_comes_from_outside_is_escaped():
    html = page(every_verdict())
    assert HOSTILE not in html
    assert "&lt;script&gt;alert" in html


def test_what_is_not_there_has_no_section():
    html = page([answer("t", PROGRAMS[0], "function")])
    assert 'id="thresholds"' in html
    for section in ("findings", "digits", "training"):
        assert f'id="{section}"' not in html


def test_the_worst_of_seeds_is_shown():
    results = every_verdict()
    heat = figures(results)["digits"][0]
    assert heat.title == "cnn-tiny: outputs"
    assert heat.rows[0][:3] == ["conv1", "3.00", "6.15"]
    worse = answer("cnn-tiny", PROGRAMS[0], "function", seed=2, verdict="different")
    row = re.search(r"<th scope=\"row\">cnn-tiny</th>.*?</tr>", page([*results, worse]), re.S)
    assert row is not None
    assert row.group().count('class="badge different"') == 1


def test_gradients_are_shown_by_layer_the_worst_parameter_first():
    digits = {"activations/a": 6.0, "activations/a.b": 6.0}
    digits |= {"gradients/a.weight": 5.0, "gradients/a.bias": 4.0, "gradients/a.b.weight": 3.0}
    shown = figures([answer("t", PROGRAMS[0], "precision", digits=digits)])["digits"][1]
    assert shown.rows == [["a", "4.00"], ["a.b", "3.00"]]


def test_a_distance_that_is_not_finite_leaves_a_gap():
    course = figures(every_verdict())["training"][1]
    drawn = json.loads(course.plot.to_json())["data"]
    assert [None in trace["y"] for trace in drawn].count(True) == 1
    assert ["mine eager", "0", "50", "n/a", "1.0e-05"] in course.rows
