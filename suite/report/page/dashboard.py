"""What a run's page is drawn from in the browser: results and samples as plain data for JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from suite.analysis import words
from suite.analysis.digest import cell_of
from suite.analysis.repeat import command
from suite.records.run import Run
from suite.records.schema import (
    BlockRecord,
    Cell,
    CellSummary,
    ComparisonSummary,
    Interval,
    LearningSummary,
    PhaseRecord,
)
from suite.report.headlines import Group
from suite.report.metrics import Metric
from suite.report.page.styles import Style

Styles = dict[tuple[str, str], Style]


def shown_results(
    run: Run, found: list[Group], shown: list[Metric], looks: Styles
) -> dict[str, Any]:
    """Cells with their values, comparisons with their verdicts, metrics with their directions.
    Cells and groups are told by their places in the lists.
    """
    arms = [arm for group in found for arm in group.arms]
    return {
        "run": run.manifest.id,
        "delta": run.manifest.delta,
        "metrics": [
            {
                name: getattr(metric, name)
                for name in ("key", "name", "unit", "better", "note", "judged")
            }
            for metric in shown
        ],
        "cells": [
            {
                "id": cell_id(arm.cell),
                "group": number,
                **_named(arm.cell),
                "name": arm.name,
                "twin": arm.cell.is_twin,
                "colour": looks[arm.cell.arm].colour,
                "symbol": looks[arm.cell.arm].symbol,
                "glyph": looks[arm.cell.arm].glyph,
                "dash": looks[arm.cell.arm].dash,
                "status": arm.cell.status,
                "reason": arm.cell.reason,
                "parity": arm.cell.parity,
                "tier": arm.tier,
                "launches": _launches(arm.cell),
                "values": {
                    metric.key: value
                    for metric in shown
                    if (value := metric.value(arm.cell)) is not None
                },
            }
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
                "learning": [_learned(pair) for pair in _of_group(run.summary.learning, group)],
            }
            for group in found
        ],
        "commands": [arm.cell.command or command(run.manifest, arm.cell) for arm in arms],
        "machine": machine(run),
        "backends": run.environment.backends,
    }


def _launches(cell: CellSummary) -> list[float]:
    """Each launch's time over the cell's, for metrics that are made of it."""
    step = cell.step_seconds
    return [] if step is None else [_short(each / step.value) for each in cell.launch_seconds]


def _paired(pair: ComparisonSummary) -> dict[str, Any]:
    """Without an interval where that determines nothing."""
    found = pair.model_dump(include={"base", "new", "ratio", "low", "high", "verdict", "reason"})
    interval = Interval(value=pair.ratio, low=pair.low, high=pair.high)
    if not words.determined(interval, pair.launches):
        found |= {"low": None, "high": None}
    return {**found, "launches": pair.launch_ratios}


def cell_id(cell: Cell) -> str:
    """What the page's address calls a cell."""
    c = cell
    parts = (c.task, c.phase, c.batch_size, c.backend, c.execution, c.precision, c.device)
    return "/".join(map(str, parts))


def _named(cell: CellSummary) -> dict[str, Any]:
    return {
        "family": cell.task.split("-")[0],
        "task": cell.task,
        "phase": cell.phase,
        "batch": cell.batch_size,
        "backend": cell.backend,
        "execution": cell.execution,
        "precision": cell.precision,
        "device": cell.device,
    }


def _of_group(found: Iterable[LearningSummary], group: Group) -> list[LearningSummary]:
    cell = group.arms[0].cell
    wanted = (cell.task, cell.precision, cell.device)
    return [
        pair
        for pair in found
        if cell.phase == "train" and (pair.task, pair.precision, pair.device) == wanted
    ]


def _learned(pair: LearningSummary) -> dict[str, Any]:
    """The difference in percentage points."""
    ends = (pair.difference, pair.low, pair.high)
    points = [None if end is None else 100 * end for end in ends]
    return {
        "base": pair.base,
        "new": pair.new,
        **dict(zip(("ratio", "low", "high"), points, strict=True)),
        "verdict": pair.verdict,
        "reason": words.settled_by(pair),
    }


def machine(run: Run) -> dict[str, str]:
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
        by_arm: dict[tuple[str, str], list[tuple[int, BlockRecord]]] = defaultdict(list)
        for at, block in enumerate(ours):
            by_arm[block.cell.arm].append((at, block))
        for arm in group.arms:
            cell, own = cell_of(arm.cell), by_arm[arm.cell.arm]
            told.append(
                {
                    "blocks": _blocks(own),
                    "phases": [_phase(p) for p in phases[cell] if p.phase != "energy"],
                    "facts": _facts(run, cell, phases[cell]) | _gpu([block for _, block in own]),
                }
            )
    return told


def _blocks(own: list[tuple[int, BlockRecord]]) -> dict[str, list[Any]]:
    return {
        "at": [at for at, _ in own],
        "launch": [block.launch + 1 for _, block in own],
        "round": [block.round + 1 for _, block in own],
        "steps": [block.steps for _, block in own],
        "ms": [_short(1000 * block.seconds / block.steps) for _, block in own],
        "cpu": [block.noise.cpu_per_wall for _, block in own],
        "steal": [block.noise.steal for _, block in own],
        "pressure": [block.noise.pressure for _, block in own],
        "switches": [block.noise.involuntary_switches for _, block in own],
        "work": [block.noise.known_work_ms for _, block in own],
        "void": [block.void for _, block in own],
        "disturbed": [block.disturbed for _, block in own],
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
