"""A run in other tools' formats, read by those tools where they install."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from suite.report.exports import EXPORTS
from tests.fixtures.sample_run import hostile_run


def measured(run):
    found = [cell for cell in run.summary.cells if cell.samples_per_second is not None]
    assert len(found) == 17
    return found


def test_pytest_benchmark_compares_it(run, tmp_path):
    for name in ("0001_base", "0002_new"):
        (tmp_path / f"{name}.json").write_text(EXPORTS["pytest-benchmark"](run))
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", "0001_base.json", "0002_new.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for cell in measured(run):
        name = f"{cell.task}/{cell.phase}/{cell.backend}/"
        assert done.stdout.count(name) == 2, name


def test_statistics_are_of_the_blocks_that_count(run):
    found = json.loads(EXPORTS["pytest-benchmark"](run))["benchmarks"]
    assert len(found) == len(measured(run))
    for one in found:
        stats = one["stats"]
        assert stats["min"] <= stats["q1"] <= stats["median"] <= stats["q3"] <= stats["max"]
        assert stats["rounds"] == len(stats["data"])
        assert stats["ops"] == pytest.approx(1 / stats["mean"])


def test_github_action_benchmark_gets_one_number_each_and_all_in_one_direction(run):
    found = json.loads(EXPORTS["github-action-benchmark"](run))
    assert [one["value"] for one in found] == [c.samples_per_second for c in measured(run)]
    assert all(set(one) == {"name", "unit", "value", "range", "extra"} for one in found)
    assert {one["unit"] for one in found} == {"samples/s"}


def test_bencher_metric_format_has_measures_with_bounds(run):
    found = json.loads(EXPORTS["bencher"](run))
    assert len(found) == len(measured(run))
    for measures in found.values():
        assert {"throughput", "latency"} <= set(measures)
        for measure in measures.values():
            assert set(measure) <= {"value", "lower_value", "upper_value"}
            assert measure.get("lower_value", 0) <= measure["value"]
            assert measure["value"] <= measure.get("upper_value", measure["value"])


@pytest.mark.parametrize("name", EXPORTS)
def test_hostile_names_stay_text(name, tmp_path):
    run = hostile_run(tmp_path)
    found = EXPORTS[name](run)
    assert json.loads(found)
    assert "</script>" in found  # JSON need not escape it


@pytest.mark.parametrize("name", EXPORTS)
def test_each_says_what_it_loses(name):
    assert "Lost: " in EXPORTS[name].__doc__


def test_bencher_reads_what_it_takes(run):
    """Bencher Metric Format as its documentation defines it: names of at most 1024 signs, measures
    with a finite ``value`` and at most two bounds.
    """
    found = json.loads(EXPORTS["bencher"](run))
    assert len(found) == len(measured(run))
    for name, measures in found.items():
        assert 0 < len(name) <= 1024
        assert all(isinstance(n, float) for m in measures.values() for n in m.values())


def test_github_action_benchmark_reads_what_it_takes(run):
    """As its extractor of custom results does: an array of objects with a name, a number, a unit,
    and texts.
    """
    found = json.loads(EXPORTS["github-action-benchmark"](run))
    assert isinstance(found, list)
    names = [one["name"] for one in found]
    assert names
    assert len(set(names)) == len(names)  # a name is a line in its chart
    for one in found:
        assert all(isinstance(one[key], str) for key in ("name", "unit", "range", "extra"))
        assert isinstance(one["value"], float)
