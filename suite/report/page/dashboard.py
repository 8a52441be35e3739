"""What a run's page is drawn from in the browser: results and samples as plain data for JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from suite.analysis import words
from suite.analysis.digest import cell_of
from suite.analysis.repeat import command
from suite.analysis.scores import SCORES
from suite.records.run import Run
from suite.records.schema import (
    BlockRecord,
    Cell,
    CellSummary,
    ComparisonSummary,
    LearningSummary,
    PhaseRecord,
)
from suite.report.headlines import Arm, Group, ends
from suite.report.metrics import Metric
from suite.report.page.styles import Styles

# Fields of a cell, and of what else the machine did beside a block, by their names on the page.
CELL = {*Cell.model_fields, "status", "reason", "parity"} - {"batch_size"}  # ``batch`` there
NOISE = {
    "cpu": "cpu_per_wall",
    "steal": "steal",
    "pressure": "pressure",
    "switches": "involuntary_switches",
    "work": "known_work_ms",
}


def shown_results(
    run: Run, found: list[Group], shown: list[Metric], looks: Styles
) -> dict[str, Any]:
    """Cells with their values, comparisons with their verdicts, metrics with their directions.
    Cells and groups are told by their places in the lists.
    """
    cells = [arm.cell for group in found for arm in group.arms]
    return {
        "run": run.manifest.id,
        "delta": run.manifest.delta,
        "metrics": [
            {
                name: getattr(metric, name)
                for name in ("key", "name", "unit", "better", "note", "judged", "apart", "margin")
            }
            for metric in shown
        ],
        "cells": [
            {"group": number, **_arm(arm, shown), **vars(looks[arm.cell.arm])}
            for number, group in enumerate(found)
            for arm in group.arms
        ],
        "groups": [
            {
                "task": group.task,
                "setting": group.setting,
                "short": group.short_setting,
                "headline": group.headline,
                "caution": words.first_look(group.launches) if group.first else "",
                "pairs": [_paired(pair) for pair in group.comparisons],
                "learning": [
                    _learned(pair)
                    for pair in run.summary.learning
                    if _is_about(pair, group.arms[0].cell)
                ],
            }
            for group in found
        ],
        "commands": [cell.command or command(run.manifest, cell) for cell in cells],
        "machine": _machine(run),
        "backends": run.environment.backends,
    }


def _arm(arm: Arm, shown: list[Metric]) -> dict[str, Any]:
    """A cell; ``id`` is what the page's address calls it, and ``launches`` are each one's time over
    the cell's, for metrics that are made of it.
    """
    c, step = arm.cell, arm.cell.step_seconds
    values = {metric.key: metric.value(c) for metric in shown}
    return {
        "id": f"{c.task}/{c.phase}/{c.batch_size}/{c.backend}/{c.execution}/"
        f"{c.precision}/{c.device}",
        "family": c.task.split("-")[0],
        "batch": c.batch_size,
        **c.model_dump(include=CELL),
        "name": arm.name,
        "twin": c.is_twin,
        "tier": arm.tier,
        "launches": [_short(each / step.value) for each in c.launch_seconds] if step else [],
        "values": {key: value for key, value in values.items() if value is not None},
    }


def _paired(pair: ComparisonSummary) -> dict[str, Any]:
    """Without an interval where that determines nothing."""
    found = pair.model_dump(include={"base", "new", "ratio", "low", "high", "verdict", "reason"})
    if ends(pair) is None:
        found |= {"low": None, "high": None}
    return {**found, "launches": pair.launch_ratios}


def _is_about(pair: LearningSummary, cell: CellSummary) -> bool:
    wanted = (cell.task, "train", cell.precision, cell.device)
    return (pair.task, cell.phase, pair.precision, pair.device) == wanted


def _learned(pair: LearningSummary) -> dict[str, Any]:
    """The difference in percentage points or bits; ``metric`` is the one that shows it."""
    scale = SCORES[pair.score].scale
    ends = {"ratio": pair.difference, "low": pair.low, "high": pair.high}
    return {
        "base": pair.base,
        "new": pair.new,
        "metric": pair.score,
        **{name: None if end is None else scale * end for name, end in ends.items()},
        "verdict": pair.verdict,
        "reason": words.settled_by(pair),
    }


def _machine(run: Run) -> dict[str, str]:
    """The machine in a few named words."""
    found = run.environment
    return {
        "processor": found.cpu,
        "cores": f"{found.cores}, {found.threads} threads",
        "memory": f"{words.number(found.memory_bytes / 2**30)} GiB",
        "GPU": ", ".join(found.gpus) or "none",
        "system": found.system + (", in a container" if found.container else ""),
        **found.coordinator,
    }


def timed_samples(run: Run, found: list[Group]) -> list[dict[str, Any]]:
    """What was timed, by cell in the order of ``shown_results``: blocks in the order in which the
    machine ran them (``at``, counted over the cell's comparison), with the load beside them, and
    what came before them in each launch.
    """
    blocks: dict[tuple[object, ...], list[BlockRecord]] = defaultdict(list)
    phases: dict[Cell, list[PhaseRecord]] = defaultdict(list)
    for record in run.records:
        if isinstance(record, BlockRecord):
            blocks[record.cell.comparison].append(record)
        elif isinstance(record, PhaseRecord) and record.cell:
            phases[record.cell].append(record)
    told = []
    for group in found:
        ours = blocks[group.arms[0].cell.comparison]
        ours.sort(key=lambda block: (block.launch, block.round, block.position))
        places: dict[tuple[str, str], list[int]] = defaultdict(list)
        for at, block in enumerate(ours):
            places[block.cell.arm].append(at)
        for arm in group.arms:
            cell, own = cell_of(arm.cell), [ours[at] for at in places[arm.cell.arm]]
            told.append(
                {
                    "blocks": _blocks(places[arm.cell.arm], own),
                    "phases": [_phase(p) for p in phases[cell] if p.phase != "energy"],
                    "facts": _facts(run, cell, phases[cell]) | _gpu(own),
                }
            )
    return told


def _blocks(at: list[int], own: list[BlockRecord]) -> dict[str, list[Any]]:
    return {
        "at": at,
        "launch": [block.launch + 1 for block in own],
        "round": [block.round + 1 for block in own],
        "ms": [_short(1000 * block.seconds / block.steps) for block in own],
        **{
            name: [getattr(block, name) for block in own] for name in ("steps", "void", "disturbed")
        },
        **{name: [getattr(block.noise, field) for block in own] for name, field in NOISE.items()},
    }


def _phase(record: PhaseRecord) -> dict[str, Any]:
    return {
        "phase": record.phase,
        "launch": None if record.launch is None else record.launch + 1,
        "seconds": _short(record.seconds),
        "ms": [_short(1000 * seconds) for seconds in record.samples],
    }


def _facts(run: Run, cell: Cell, phases: list[PhaseRecord]) -> dict[str, str]:
    """The path that the adapter took for this cell; where the records have none, in the run."""
    own = {name: fact for phase in phases for name, fact in phase.facts.items()}
    return own or dict(run.environment.facts.get(f"{cell.doubles} {cell.execution}", {}))


def _gpu(blocks: Sequence[BlockRecord]) -> dict[str, str]:
    """What a GPU did beside these blocks; empty on the CPU."""
    seen = [block.noise.gpu for block in blocks if block.noise.gpu is not None]
    told = {}
    for name, unit in (("sm_mhz", "MHz"), ("memory_mhz", "MHz"), ("celsius", "°C"), ("watts", "W")):
        values = [value for one in seen if (value := getattr(one, name)) is not None]
        if values:
            told[f"GPU {name.partition('_')[0]}"] = f"{min(values):g} to {max(values):g} {unit}"
    reasons = Counter(reason for one in seen for reason in one.throttled)
    if seen:
        slowed = [f"{reason} beside {n} of {len(seen)} blocks" for reason, n in reasons.items()]
        told["GPU held back"] = ", ".join(slowed) or "no"
        others = [one.others for one in seen if one.others is not None]
        told["GPU used by others"] = str(max(others)) if others else words.NOT_AVAILABLE
    return told


def _short(value: float) -> float:
    return float(f"{value:.6g}")  # of a block's time; a clock tells no more
