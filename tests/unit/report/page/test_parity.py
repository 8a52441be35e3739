"""Parity's page without a browser: what is on it, and what is not."""

from __future__ import annotations

import re

from suite.report.page.parity import render_parity
from suite.report.page.parity_figures import figures
from tests.fixtures.sample_parity import (
    DERIVED,
    HOSTILE,
    PROGRAMS,
    all_the_same,
    answer,
    every_verdict,
)

VERSIONS = {"torch": {"python": "3.11", "torch": "2.13.0"}}


def page(results, facts=VERSIONS) -> str:
    return render_parity(results, DERIVED, facts)


def row_of(task: str, html: str) -> str:
    """Of the task's first question."""
    found = re.search(f"<span>{task}</span></th></tr>.*?</tr>", html, re.S)
    assert found is not None
    return found.group()


def test_the_first_lines_tell_what_was_found():
    html = page(all_the_same())
    assert "Parity: 30 of 30 the same" in html
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
    html = page([answer("t", PROGRAMS[0], "function")], facts={})
    assert 'id="thresholds"' in html
    for section in ("findings", "digits", "training", "environment"):
        assert f'id="{section}"' not in html


def test_the_worst_of_seeds_is_shown():
    results = every_verdict()
    heat = figures(results)["digits"][0]
    assert heat.title == "cnn-tiny: outputs"
    assert heat.rows[0][:3] == ["conv1", "3.00", "6.15"]
    worse = answer("cnn-tiny", PROGRAMS[0], "function", seed=2, verdict="different")
    assert row_of("cnn-tiny", page([*results, worse])).count('class="badge different"') == 1


def test_an_error_that_is_not_finite_is_the_worst_of_seeds_and_of_all():
    ours = [
        answer("t", PROGRAMS[0], "function", seed=seed, verdict="different", error=error)
        for seed, error in enumerate([0.5, None, 0.7])
    ]
    html = page(ours)
    assert "<small>inf</small>" in row_of("t", html)
    assert "<td>1.3e-09</td><td>inf</td>" in html


def test_a_finding_tells_where_and_a_limit_what_it_rests_on():
    html = page(every_verdict())
    assert "<dt>layer</dt><dd>blocks.0.norm1</dd>" in html
    assert "<dt>guess</dt><dd>epsilon 0.001</dd>" in html
    assert "3.2e-14 <small>cnn-small, jax compiled, seed 3</small>" in html
    assert "5.1e-05 <small>gelu: approximate True in place of False</small>" in html


def test_names_that_are_cut_alike_stay_apart():
    digits = {f"activations/{'long' * 9}{number}": 6.0 - number for number in range(2)}
    heat = figures([answer("t", PROGRAMS[0], "precision", digits=digits)])["digits"][0]
    (trace,) = heat.plot.data
    assert "y" not in trace
    assert len(set(heat.plot.layout["yaxis"]["ticktext"])) == 1
    assert len(trace["z"]) == 2


def test_gradients_are_shown_by_layer_in_the_models_order_the_worst_parameter_of_each():
    digits = {"activations/a": 6.0, "activations/a.b": 6.0}
    digits |= {"gradients/a.b.weight": 3.0, "gradients/a.weight": 5.0, "gradients/a.bias": 4.0}
    shown = figures([answer("t", PROGRAMS[0], "precision", digits=digits)])["digits"][1]
    assert shown.rows == [["a", "4.00"], ["a.b", "3.00"]]


def test_of_seeds_the_training_is_drawn_that_strays_furthest():
    results = [
        answer("cnn-tiny", program, "training", seed=seed, error=error)
        for seed, error in ((0, 0.5), (7, 3.5), (8, 1.0))
        for program in PROGRAMS
    ]
    (course,) = figures(results)["training"]
    assert course.title == "cnn-tiny, seed 7, the worst of 3"
    assert len(course.plot.drawn()["data"]) == 1 + len(PROGRAMS)


def test_a_distance_that_is_not_finite_leaves_a_gap():
    course = figures(every_verdict())["training"][1]
    drawn = course.plot.drawn()["data"]
    assert [None in trace["y"] for trace in drawn].count(True) == 1
    assert [shape["x0"] for shape in course.plot.layout["shapes"]] == [20]
    assert ["mine eager", "50", "n/a", "2.8e-06"] in course.rows
