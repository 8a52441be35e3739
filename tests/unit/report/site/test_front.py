"""The site's first page: which runs it shows, in which order, and what it says of them."""

from __future__ import annotations

import pytest

from suite.analysis.digest import Ranked, Ranking, digest
from suite.records.schema import Interval
from suite.report.headlines import groups
from suite.report.page.comparison import newest_pair
from suite.report.site.front import Row, fronts
from suite.report.site.rankings import ranked
from suite.run import session
from tests.fixtures.large_run import large_run
from tests.fixtures.sample_run import sample_run
from tests.fixtures.summaries import of_language_models


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return sample_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def told(run):
    """Its digest with rankings."""
    return ranked(run, digest(run))


def dated(found, day, **changes):
    """The run of another day, with another id."""
    created = f"2026-03-{day:02}T10:00:00+00:00"
    return found.model_copy(update={"id": f"run-{day}", "created": created, **changes})


def with_rankings(found, **changes):
    rankings = tuple(each.model_copy(update=changes) for each in found.rankings)
    return found.model_copy(update={"rankings": rankings})


def test_a_ranking_is_the_runs_comparison_without_the_twin(run, told):
    measured = [g for g in groups(run.summary) if any(a.cell.step_seconds for a in g.arms)]
    assert len(told.rankings) == len(measured)
    for group, found in zip(measured, told.rankings, strict=True):
        own = [arm for arm in group.arms if not arm.cell.is_twin]
        assert found.headline == group.headline
        assert [(a.backend, a.execution, a.tier) for a in found.arms] == [
            (arm.cell.backend, arm.cell.execution, arm.tier) for arm in own
        ]
        assert found.arms[0].times == Interval(value=1, low=1, high=1)


def test_times_are_the_pairs_whichever_way_round_they_are(run, told):
    compared = 0
    for group, found in zip(
        [g for g in groups(run.summary) if any(a.cell.step_seconds for a in g.arms)],
        told.rankings,
        strict=True,
    ):
        own = [arm for arm in group.arms if not arm.cell.is_twin]
        for arm, shown in zip(own[1:], found.arms[1:], strict=True):
            if shown.times is not None:
                compared += 1
                assert shown.times.value == pytest.approx(group.ratio(arm, own[0]))
                assert shown.times.low <= shown.times.value <= shown.times.high
    assert compared


def test_machines_with_a_standard_run_come_first_then_the_newest(told):
    quick, standard = ({"profile": profile} for profile in ("quick", "standard"))
    runs = [(dated(told, 3, **quick), 7), (dated(told, 2, **standard), 5), (dated(told, 1), 9)]
    assert next(front.machine for front in fronts(runs) if front.phase == "train") == 5
    runs[1] = (dated(told, 2, **quick), 5)
    assert list(dict.fromkeys(front.machine for front in fronts(runs[:2]))) == [7, 5]
    older, newer = (dated(told, 1, **standard), 7), (dated(told, 2, **standard), 5)
    found = fronts([(dated(told, 3, **quick), 7), newer, older])
    assert list(dict.fromkeys(front.machine for front in found)) == [5, 7]
    assert fronts([]) == []
    assert fronts([(dated(told, 1, rankings=()), 1)]) == []


def test_a_row_is_of_the_newest_run_that_is_more_than_a_first_look(told):
    newest, older = (dated(with_rankings(told, launches=n), d) for n, d in ((3, 2), (5, 1)))
    for front in fronts([(newest, 1), (older, 1)]):
        ranks = [any(a.tier is not None for a in row.ranking.arms) for row in front.rows]
        assert [row.run.id for row in front.rows] == [("run-2", "run-1")[rank] for rank in ranks]
    again = with_rankings(newest, launches=5)
    assert {r.run.id for f in fronts([(again, 1), (older, 1)]) for r in f.rows} == {"run-2"}


def arm(backend, tier, **changes):
    return Ranked(
        backend=backend,
        execution="eager",
        status="ok",
        parity="same",
        tier=tier,
        times=None,
        step_seconds=changes.get("seconds", 0.01),
        per_second=100.0,
        process_bytes=None,
        score=changes.get("score"),
    )


def row(told, *arms, task="cnn-tiny", **changes):
    ranking = Ranking(
        task=task,
        phase="train",
        batch_size=16,
        precision="float32",
        device="cpu",
        headline="",
        launches=5,
        of_tokens=changes.get("of_tokens", False),
        arms=list(arms),
    )
    return Row(ranking=ranking, run=told)


def test_the_sentence_counts_who_is_alone_at_the_top(told):
    rows = (
        row(told, arm("jax", 1), arm("torch", 2)),
        row(told, arm("jax", 1), arm("jax", 1), arm("torch", 2), task="b"),
        row(told, arm("torch", 1), arm("jax", 2), task="c"),
        row(told, arm("torch", 1), arm("jax", 1), arm("mlx", None, seconds=None), task="d"),
        row(told, arm("torch", 1), arm("jax", 1), arm("tensorflow", 2), task="e"),
    )
    found = told.model_copy(update={"rankings": tuple(each.ranking for each in rows)})
    (front,) = fronts([(found, 1)])
    assert front.sentence == (
        "Of 5 comparisons of training: jax is the quickest in 2, torch is the quickest in 1, in 2 "
        "no backend is the quickest beyond chance."
    )
    assert front.arms == [("jax", "eager"), ("tensorflow", "eager"), ("torch", "eager")]
    assert front.several == []


def test_scores_and_rates_have_their_units(run, told):
    text = ranked(of_language_models(run), digest(of_language_models(run)))
    task = next(iter(text.scores))
    assert row(text, arm("jax", 1, score=2.5), task=task).score(arm("jax", 1, score=2.5)) == (
        "2.50 bits per byte"
    )
    assert row(told, task=task).score(arm("jax", 1, score=0.981)) == "98.1 %"
    assert row(told, task=task).score(arm("jax", 1)) == ""
    assert row(told).rate(arm("jax", 1)) == "100 samples/s"
    assert row(told, of_tokens=True).rate(arm("jax", 1)) == "100 tokens/s"


def test_compare_opens_on_two_runs_that_have_something_in_common(tmp_path):
    def made(day, **options):
        created = f"2026-03-{day:02}T10:00:00+00:00"
        path = large_run(tmp_path, id=f"run-{day}", created=created, blocks=5, **options)
        return digest(session.read(path))

    old, arms, other, new = (
        made(1, cells=10),
        made(2, cells=1, arms=[("mine", "eager")]),
        made(3, cells=10, machine=1),
        made(4, cells=10),
    )
    assert newest_pair([(new, 0), (other, 1), (arms, 0), (old, 0)]) == ["run-1", "run-4"]
    assert newest_pair([(new, 0), (other, 1), (arms, 0)]) == ["run-2", "run-4"]
    assert newest_pair([(new, 0), (other, 1)]) == ["run-3", "run-4"]
    assert newest_pair([(new, 0)]) is None
    changed = {"tasks": {name: {"spec": "another"} for name in old.tasks}}
    unlike = old.model_copy(update=changed)
    assert newest_pair([(new, 0), (unlike, 0), (made(5, cells=10), 0)]) == ["run-5", "run-4"]
