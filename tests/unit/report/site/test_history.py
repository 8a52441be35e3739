"""The data of the history page: what it shows of a task over many runs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from suite.analysis.digest import digest
from suite.report.site.history import history_pages
from tests.fixtures.sample_run import sample_run
from tests.fixtures.summaries import of_language_models

SCORE = 8  # its place in a point


def of_task(runs, task):
    """What the page loads of it."""
    pages = dict(history_pages([(digest(run), 0) for run in runs], "plotly.js"))
    head = pages.pop("history.html")
    found = [json.loads(text[len("tribench.give(") : -len(");\n")]) for text in pages.values()]
    assert f'<option value="{task}">' in head
    return found[sorted(digest(runs[0]).timed_tasks).index(task)]


@pytest.fixture
def run(tmp_path):
    return sample_run(tmp_path)


def first(run):
    """Its first task with trainings."""
    return sorted(digest(run).timed_tasks)[0]


def test_scores_are_those_of_the_task(run):
    task = first(run)
    plain, text = of_task([run], task), of_task([of_language_models(run)], task)
    assert plain["score"] == {
        "title": "test accuracy, %",
        "better": "higher",
        "scale": 100,
        "margin": pytest.approx(2),
        "apart": "points",
    }
    assert (text["score"]["title"], text["score"]["better"]) == ("test bits per byte", "lower")
    shown = [point[SCORE] for point in text["points"] if point[SCORE] is not None]
    assert shown
    assert set(shown) == {2.5}
    assert {point[SCORE] for point in plain["points"]} > {None}
    assert 2.5 not in {point[SCORE] for point in plain["points"]}


def test_a_run_with_another_score_has_no_point_beside_the_newests(run):
    older, newer = run, of_language_models(run)
    found = of_task([older, newer], first(run))
    scores = {number: {p[SCORE] for p in found["points"] if p[0] == number} for number in (0, 1)}
    assert scores[0] == {None}
    assert scores[1] == {None, 2.5}


def test_without_trainings_there_is_no_score(run):
    still = replace(run, summary=run.summary.model_copy(update={"trainings": []}))
    assert of_task([still], first(run))["score"] is None


def test_it_knows_on_which_machines_a_task_was_measured(run):
    pages = dict(history_pages([(digest(run), 4)], "plotly.js"))
    data = pages["history.html"].partition('id="data">')[2].partition("</script>")[0]
    assert json.loads(data)["measured"][first(run)] == [4]
