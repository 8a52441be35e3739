"""What a cell achieves beside the best that its device showed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.analysis import words
from suite.analysis.achieved import Achieved
from suite.records.schema import CeilingRecord, Interval
from suite.report import frames
from suite.report.page import page
from suite.report.terminal import tables
from tests.fixtures.sample_run import sample_run
from tests.fixtures.summaries import printed

KEY = {"unit": "ceiling", "attempt": "1", "how": "", "execution": "eager", "device": "cpu"}


def ceiling(backend, amount, seconds, what="matmul", precision="float32"):
    return CeilingRecord(
        **KEY, backend=backend, what=what, precision=precision, amount=amount, step_seconds=seconds
    )


@pytest.fixture
def manifest(tmp_path):
    tasks = {"cnn-tiny": {"flops": 1000}, "rnn-tiny": {}, "transformer-tiny": {"flops": 0}}
    return sample_run(tmp_path).manifest.model_copy(update={"tasks": tasks})


def cell_of(tmp_path, task, phase):
    cells = sample_run(tmp_path).summary.cells
    cell = next(c for c in cells if (c.task, c.phase, c.status) == (task, phase, "ok"))
    return cell.model_copy(update={"step_seconds": Interval(value=0.5, low=0.4, high=0.6)})


@pytest.mark.parametrize(("phase", "forwards"), [("train", 3), ("infer", 1)])
def test_the_ceiling_is_the_best_of_all_backends_in_the_precision(
    manifest, tmp_path, phase, forwards
):
    records = [
        ceiling("torch", 600, [0.002, 0.001, 0.004]),
        ceiling("torch", 5000, [0.01]),
        ceiling("jax", 2_000, [0.002]),
        ceiling("jax", 9_000, [0.001], precision="bfloat16"),
        ceiling("jax", 64, [0.5], what="copy"),
    ]
    achieved = Achieved(manifest, records)
    found = achieved.added_to(cell_of(tmp_path, "cnn-tiny", phase))
    assert found.flops_per_second == forwards * 128 * 1000 / 0.5
    assert found.of_ceiling == found.flops_per_second / 1e6
    told = {(c.backend, c.precision): c for c in achieved.ceilings()}
    assert told["torch", "float32"].matmul_flops_per_second == 6e5
    assert told["torch", "float32"].copy_bytes_per_second is None
    assert told["jax", "float32"].matmul_flops_per_second == 1e6
    assert told["jax", "float32"].copy_bytes_per_second == 128
    assert told["jax", "bfloat16"].matmul_flops_per_second == 9e6


@pytest.mark.parametrize("task", ["rnn-tiny", "transformer-tiny"])
def test_what_counts_no_operations_has_no_rate(manifest, tmp_path, task):
    found = Achieved(manifest, []).added_to(cell_of(tmp_path, task, "train"))
    assert (found.flops_per_second, found.of_ceiling) == (None, None)


def test_of_a_text_it_tells_tokens(manifest, tmp_path):
    tasks = {"cnn-tiny": {"tokens": 128}}
    cell = cell_of(tmp_path, "cnn-tiny", "infer")
    assert Achieved(manifest, []).added_to(cell).tokens_per_second is None
    found = Achieved(manifest.model_copy(update={"tasks": tasks}), []).added_to(cell)
    assert found.tokens_per_second == 128 * cell.samples_per_second


def test_without_a_ceiling_there_is_a_rate_and_no_share(manifest, tmp_path):
    found = Achieved(manifest, []).added_to(cell_of(tmp_path, "cnn-tiny", "train"))
    assert found.flops_per_second == 768_000
    assert found.of_ceiling is None


def test_a_rate_of_no_time_is_refused():
    with pytest.raises(ValueError, match="greater than 0"):
        ceiling("torch", 600, [0.0])


def test_every_output_shows_them(tmp_path):
    run = sample_run(tmp_path)
    records = [
        *run.records,
        ceiling("torch", 2**31, [0.02, 0.03]),
        ceiling("torch", 2**27, [0.01], what="copy"),
    ]
    tasks = {task: {"flops": 1_000_000} for task in run.manifest.tasks}
    manifest = run.manifest.model_copy(update={"tasks": tasks})
    achieved = Achieved(manifest, records)
    cells = [achieved.added_to(cell) for cell in run.summary.cells]
    summary = run.summary.model_copy(update={"cells": cells, "ceilings": achieved.ceilings()})
    run = replace(run, manifest=manifest, records=records, summary=summary)
    cell = next(c for c in cells if c.status == "ok")
    wide, narrow = printed(summary, 160), printed(summary, 100)
    markdown, html = tables.markdown(summary), page.render(run)
    share, rate = words.share(cell.of_ceiling), words.giga(cell.flops_per_second)
    for text in (wide, narrow, markdown, html):
        assert share in text
        assert "13.4" in text  # GB/s
    for text in (wide, markdown, html):
        assert rate in text
    assert "GFLOP" not in narrow.partition("Ceilings")[0]
    assert max(map(len, narrow.splitlines())) <= 100
    found = frames.frames(run)
    assert list(found["ceilings"]["per_second"]) == [2**31 / 0.02, 2**31 / 0.03, 2**27 / 0.01]
    assert found["cells"]["of_ceiling"].notna().sum() == len([c for c in cells if c.step_seconds])
