"""The data that the page of a run is drawn from: every cell, pair and block."""

from __future__ import annotations

import json

import pytest

from suite.records.run import Run
from suite.records.schema import BlockRecord
from suite.report.headlines import groups
from suite.report.metrics import available
from suite.report.page.dashboard import shown_results, timed_samples
from suite.report.page.figures import arm_styles
from tests.fixtures.sample_run import LAUNCHES, ROUNDS


class TestData:
    def test_it_is_json_with_every_cell_and_pair(self, run: Run) -> None:
        found = groups(run.summary)
        told = shown_results(run, found, available(run.summary.cells), arm_styles(run))
        again = json.loads(json.dumps(told, allow_nan=False))
        assert len(again["cells"]) == len(run.summary.cells) == len(again["commands"])
        assert len({cell["id"] for cell in again["cells"]}) == len(again["cells"])
        pairs = [pair for group in again["groups"] for pair in group["pairs"]]
        assert len(pairs) == len(run.summary.comparisons)
        for cell in again["cells"]:
            assert again["groups"][cell["group"]]["task"] == cell["task"]

    def test_every_block_is_told_once_in_time_order(self, run: Run) -> None:
        found = groups(run.summary)
        told = timed_samples(run, found)
        arms = [arm for group in found for arm in group.arms]
        assert len(told) == len(arms)
        blocks = [record for record in run.records if isinstance(record, BlockRecord)]
        assert len(blocks) == 17 * LAUNCHES * ROUNDS  # of the cells that were measured
        assert sum(len(each["blocks"]["at"]) for each in told) == len(blocks)
        for arm, each in zip(arms, told, strict=True):
            ours = [b for b in blocks if b.cell.comparison == arm.cell.comparison]
            ours.sort(key=lambda block: (block.launch, block.round, block.position))
            for at, ms in zip(each["blocks"]["at"], each["blocks"]["ms"], strict=True):
                assert ours[at].cell.arm == arm.cell.arm
                assert ms == pytest.approx(1000 * ours[at].seconds / ours[at].steps, rel=1e-5)
        assert told[0]["facts"] == {"layout": "channels-last"}
