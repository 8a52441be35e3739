"""What an upgrade's findings say of a made-up run whose second arm is known to differ."""

from __future__ import annotations

import pytest

from suite.analysis.upgrade import builds, stops, upgraded, versions, work
from suite.records.schema import (
    AccuracyRecord,
    BlockRecord,
    MemoryRecord,
    ParityRecord,
    PhaseRecord,
)
from tests.fixtures.sample_run import sample_run
from tests.fixtures.upgraded_run import NEW, OLD, TASKS, UPGRADE, copied, upgraded_run


@pytest.fixture
def judge(tmp_path):
    """``judge(change)``: the findings where the newer arm's record is ``change(record)`` of the
    older one's, or is left out where that is None.
    """

    def run(change=copied, tasks=TASKS):
        return upgraded(upgraded_run(tmp_path, change, tasks), UPGRADE)

    return run


def of(found, aspect):
    return [each for each in found.findings if each.aspect == aspect]


def test_identical_arms_have_not_changed(judge):
    found = judge()
    assert len(of(found, "speed")) == 6
    assert {each.verdict for each in of(found, "speed")} == {"EQUIVALENT"}
    assert {each.verdict for each in of(found, "memory")} <= {"EQUIVALENT", "INCONCLUSIVE"}
    assert {(each.base, each.new) for each in of(found, "parity")} == {("same", "same")}
    assert {each.verdict for each in of(found, "accuracy")} == {"EQUIVALENT"}
    assert found.of("worse", "better") == []
    assert stops(found) == []


@pytest.mark.parametrize(
    ("factor", "said", "standing"), [(1.3, "SLOWER", "worse"), (0.7, "FASTER", "better")]
)
def test_a_step_that_takes_otherwise_is_told_where_it_does(judge, factor, said, standing):
    def change(record):
        if isinstance(record, BlockRecord) and record.cell.task == "rnn-tiny":
            return copied(record, seconds=record.seconds * factor)
        return copied(record)

    found = judge(change)
    moved = [each for each in of(found, "speed") if each.verdict == said]
    assert {each.task for each in moved} == {"rnn-tiny"}
    assert {each.standing for each in moved} == {standing}
    assert moved[0].change.value == pytest.approx(factor)
    assert len(stops(found)) == (2 if standing == "worse" else 0)


def test_what_is_claimed_of_many_cells_is_adjusted_for_all(judge):
    """A ratio that one comparison alone would call slower, among six."""
    shifts = {0: 1.078, 1: 1.10, 2: 1.125}

    def change(record):
        one = isinstance(record, BlockRecord) and record.cell.task == "rnn-tiny"
        if one and record.cell.phase == "train":
            return copied(record, seconds=record.seconds * shifts[record.launch])
        return copied(record)

    alone = judge(change, tasks=("rnn-tiny",))
    (first, _) = of(alone, "speed")
    many = judge(change)
    among = next(e for e in of(many, "speed") if (e.task, e.phase) == ("rnn-tiny", "train"))
    assert (first.verdict, among.verdict) == ("SLOWER", "INCONCLUSIVE")
    assert "adjusted for 6 comparisons (Holm)" in among.reason


def test_a_function_that_differs_is_worse_and_its_times_are_not_judged(judge):
    def change(record):
        if isinstance(record, ParityRecord) and record.result.task == "rnn-tiny":
            return copied(record, verdict="different")
        return copied(record)

    found = judge(change)
    (parity,) = [each for each in of(found, "parity") if each.standing == "worse"]
    assert (parity.task, parity.base, parity.new) == ("rnn-tiny", "same", "different")
    speed = [each for each in of(found, "speed") if each.task == "rnn-tiny"]
    assert {(each.verdict, each.reason) for each in speed} == {(None, "parity different in NEW")}
    told = stops(found)
    assert "parity of rnn-tiny eager float32: different in NEW, same in OLD" in told
    assert len([line for line in told if line.startswith("rnn-tiny")]) == len(speed)


def test_what_takes_twice_the_memory_and_thrice_the_time_to_compile_is_worse(judge):
    def change(record):
        if isinstance(record, MemoryRecord):
            return copied(record, process=2 * record.process, live=record.live and 2 * record.live)
        if isinstance(record, PhaseRecord) and record.phase == "compile":
            return copied(record, seconds=3 * record.seconds)
        return copied(record)

    found = judge(change)
    assert {each.verdict for each in of(found, "memory")} == {"MORE"}
    assert len(of(found, "compile")) == 6
    assert {each.verdict for each in of(found, "compile")} == {"SLOWER"}
    assert any(line.startswith("memory (process) of cnn-tiny") for line in stops(found))


def test_single_values_that_scatter_settle_nothing(judge):
    factors = iter([1.4, 0.7, 1.3, 0.8, 1.25, 0.75])

    def change(record):
        if isinstance(record, PhaseRecord) and record.phase == "compile":
            return copied(record, seconds=next(factors) * record.seconds)
        return copied(record)

    assert {each.verdict for each in of(judge(change), "compile")} == {"INCONCLUSIVE"}


def test_a_score_that_falls_is_worse(judge):
    def change(record):
        if isinstance(record, AccuracyRecord):
            return copied(record, test_accuracy=record.training.test_accuracy - 0.1)
        return copied(record)

    found = judge(change)
    assert {each.standing for each in of(found, "accuracy")} == {"worse"}
    assert of(found, "accuracy")[0].change.value == pytest.approx(-0.1)


def test_an_arm_without_results_is_open_and_a_gate_has_nothing_to_compare(judge):
    found = judge(lambda record: None)
    assert {each.standing for each in found.findings} == {"open"}
    assert all("in NEW" in each.reason for each in of(found, "speed"))
    assert "nothing is left to compare" in stops(found)
    assert len(found.unjudged) == 6


def test_work_is_called_as_cells_are(judge):
    first = of(judge(), "speed")[0]
    assert work(first) == f"{first.task} train ×{first.batch_size} eager float32"


def test_builds_and_versions_are_told_apart(tmp_path):
    sample = sample_run(tmp_path)
    told = {
        OLD: {"python": "3.11.7", "torch": "2.12.0", "nvidia-cublas-cu12": "12.8"},
        NEW: {"python": "3.11.7", "torch": "2.13.0+cpu"},
    }
    environment = sample.environment.model_copy(update={"backends": told})
    assert builds(environment, UPGRADE) == ("CUDA", "CPU")
    assert [(d.what, d.base, d.new) for d in versions(environment, UPGRADE)] == [
        ("torch", "2.12.0", "2.13.0+cpu"),
        ("nvidia-cublas-cu12", "12.8", "none"),
    ]
    local = told | {OLD: {"torch": "2.12.0+cu128"}}
    environment = sample.environment.model_copy(update={"backends": local})
    assert builds(environment, UPGRADE) == ("CUDA", "CPU")
    gone = sample.environment.model_copy(update={"backends": {NEW: told[NEW]}})
    assert builds(gone, UPGRADE) == ("not known", "CPU")
    assert versions(gone, UPGRADE) == []
