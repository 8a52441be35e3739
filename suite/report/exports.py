"""A run in other tools' formats. Each loses something; its docstring says what."""

from __future__ import annotations

import json
from collections.abc import Callable
from statistics import fmean, quantiles, stdev
from typing import Any

from suite.analysis import words
from suite.records.run import Run
from suite.records.schema import BlockRecord, Cell, CellSummary
from suite.report.metrics import METRICS

METRIC = {metric.key: metric for metric in METRICS}
MEASURES = {  # what Bencher gets: which metric, and what makes Bencher's unit of the metric's
    "throughput": ("throughput", 1.0),
    "latency": ("step", 1e6),
    "memory": ("process", float(words.MIBIBYTE)),
}


def pytest_benchmark(run: Run) -> str:
    """For ``pytest-benchmark compare``: a benchmark per measured cell, its rounds the seconds of a
    step in every block that counts. Lost: launches (rounds stand in a row as if they were
    independent, so that its deviations are too small), pairing, intervals, verdicts, memory,
    accuracy, parity and cells without a result.
    """
    benchmarks = []
    for cell, seconds in _steps(run).items():
        ordered = sorted(seconds)
        q1, middle, q3 = quantiles(ordered, n=4) if len(ordered) > 1 else ordered * 3
        low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
        mean, spread = fmean(ordered), stdev(ordered) if len(ordered) > 1 else 0.0
        benchmarks.append(
            {
                "group": f"{cell.task} {cell.phase} {cell.batch_size}",
                "name": _name(cell),
                "fullname": _name(cell),
                "params": None,
                "param": None,
                "extra_info": cell.model_dump(),
                "options": {"disable_gc": True, "timer": "perf_counter", "warmup": True},
                "stats": {
                    "min": ordered[0],
                    "max": ordered[-1],
                    "mean": mean,
                    "stddev": spread,
                    "rounds": len(ordered),
                    "median": middle,
                    "iqr": q3 - q1,
                    "q1": q1,
                    "q3": q3,
                    "iqr_outliers": sum(not low <= x <= high for x in ordered),
                    "stddev_outliers": sum(abs(x - mean) > spread for x in ordered),
                    "outliers": "",
                    "ld15iqr": min(x for x in ordered if x >= low),
                    "hd15iqr": max(x for x in ordered if x <= high),
                    "ops": 1 / mean,
                    "total": sum(ordered),
                    "data": seconds,
                    "iterations": 1,
                },
            }
        )
    machine = run.environment
    return _json(
        {
            "machine_info": {
                "node": run.manifest.label or "",
                "processor": machine.cpu,
                "machine": machine.system,
                "python_version": machine.coordinator.get("python", ""),
                "cpu": {"brand_raw": machine.cpu, "count": machine.cores},
            },
            "commit_info": {"id": run.manifest.id, "time": run.manifest.created, "dirty": False},
            "benchmarks": benchmarks,
            "datetime": run.manifest.created,
            "version": run.manifest.tribench,
        }
    )


def github_action_benchmark(run: Run) -> str:
    """For ``tool: customBiggerIsBetter``: samples per second of each cell with its 95 % interval as
    the range, two launches or that nothing is determined. Lost: all but that number; ratios between
    backends, which are what a run knows best; memory and time, which would be smaller-is-better
    and need a file of their own.
    """
    entries = []
    for cell in _measured(run):
        ends = (METRIC["throughput"].value(cell) or (0.0,))[1:]
        extra = f"{cell.launches} launches; parity {cell.parity or 'not known'}"
        if cell.status != "ok":
            extra += f"; {words.spaced(cell.status)}"
        entries.append(
            {
                "name": _name(cell),
                "unit": "samples/s",
                "value": cell.samples_per_second,
                "range": " to ".join(f"{end:.6g}" for end in ends) or _no_range(cell),
                "extra": extra,
            }
        )
    return _json(entries)


def bencher(run: Run) -> str:
    """Bencher Metric Format: throughput (samples/s) and latency of a step (ns), each with its 95 %
    interval, where that determines anything, and the process's peak (bytes). Lost: samples,
    pairing, verdicts, accuracy, parity, which cells were disturbed.
    """
    names = ("value", "lower_value", "upper_value")
    return _json(
        {
            _name(cell): {
                measure: dict(zip(names, (scale * each for each in value), strict=False))
                for measure, (key, scale) in MEASURES.items()
                if (value := METRIC[key].value(cell)) is not None
            }
            for cell in _measured(run)
        }
    )


def _steps(run: Run) -> dict[Cell, list[float]]:
    found: dict[Cell, list[float]] = {}
    for record in run.records:
        if isinstance(record, BlockRecord) and record.void is None:
            found.setdefault(record.cell, []).append(record.seconds / record.steps)
    return found


def _measured(run: Run) -> list[CellSummary]:
    return [cell for cell in run.summary.cells if cell.samples_per_second is not None]


def _no_range(cell: CellSummary) -> str:
    """What stands in place of an interval."""
    if len(cell.launch_seconds) == 2:
        rates = sorted(cell.batch_size / seconds for seconds in cell.launch_seconds)
        return words.both(rates, lambda rate: f"{rate:.6g}")
    return words.not_determined(cell.launch_seconds)


def _name(cell: Cell) -> str:
    program = f"{cell.task}/{cell.phase}/{cell.backend}/{cell.execution}"
    return f"{program}/{cell.precision}/{cell.device}/{cell.batch_size}"


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


EXPORTS: dict[str, Callable[[Run], str]] = {  # by what ``tribench export --format`` calls them
    "pytest-benchmark": pytest_benchmark,
    "github-action-benchmark": github_action_benchmark,
    "bencher": bencher,
}
