"""A run in other tools' formats, read by those tools where they install."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from suite.report.exports import EXPORTS
from tests.sample_run import hostile_run, sample_run


@pytest.fixture(scope="module")
def run():
    return sample_run(Path("run"))


def measured(run):
    return [cell for cell in run.summary.cells if cell.samples_per_second is not None]


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
    assert json.loads(EXPORTS[name](hostile_run(tmp_path)))
