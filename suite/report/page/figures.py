"""The figures that a run's page brings along: trainings and parity, each of one task. Those of its
results are drawn in the browser, from what the reader's filters leave.
"""

from __future__ import annotations

from suite.analysis import words
from suite.records.run import Run
from suite.records.schema import ParityResult
from suite.report.grouping import grouped
from suite.report.page.drawing import Figure, Mark, beside, label, marks, rows_frame
from suite.report.page.styles import Styles, styles
from suite.report.page.training_figures import accuracy_figures

SMALLEST_ERROR = 1e-18  # where a logarithmic axis puts an error of 0


def figures(run: Run) -> dict[str, list[Figure]]:
    """The figures by section: accuracy and parity; none is empty."""
    looks = arm_styles(run)
    tasks = grouped(run.summary.parity, lambda result: result.task)
    drawn = [_parity(number, ours, looks) for number, ours in enumerate(tasks.values())]
    sections = {"accuracy": accuracy_figures(run.summary.trainings, looks), "parity": drawn}
    return {
        name: [figure for figure in section if figure.plot.data]
        for name, section in sections.items()
    }


def arm_styles(run: Run) -> Styles:
    """A style for every (backend, execution) that the run has."""
    arms = [cell.arm for cell in run.summary.cells]
    arms += [(result.backend, result.execution) for result in run.summary.parity]
    arms += [(training.backend, training.execution) for training in run.summary.trainings]
    return styles(list(dict.fromkeys(arms)))


def _parity(number: int, results: list[ParityResult], looks: Styles) -> Figure:
    """A task's errors beside the thresholds that they were held against."""
    answered = [result for result in results if result.error is not None]
    asked = grouped(answered, lambda result: (words.question(result), result.precision))
    names = [f"{question}<br>{label(precision)}" for question, precision in asked]
    plot = rows_frame(names, "worst error (logarithmic)", type="log", exponentformat="power")
    points: dict[tuple[str, str], list[Mark]] = {}
    for row, ours in enumerate(asked.values()):
        for position, result in enumerate(ours):
            error = max(result.error or 0, SMALLEST_ERROR)
            limit = words.error(result.threshold)
            text = f"{label(result.backend)}: {words.error(result.error)}, threshold {limit}"
            points.setdefault((result.backend, result.execution), []).append(
                (beside(row, position, len(ours)), (error, error, error), text)
            )
        limits = {result.threshold for result in ours if result.threshold}
        for limit_value in limits:
            line = {"width": 3, "color": "#888888"}
            plot.segment(limit_value, row - 0.42, row + 0.42, line=line)
            # A shape stretches no axis; an invisible point does.
            plot.add(x=[limit_value], y=[row], mode="markers", opacity=0, hoverinfo="skip")
    arms: list[tuple[str, str] | None] = [None] * len(plot.data)
    for key, marked in points.items():
        plot.add(**marks(marked, looks[key]) | {"error_x": {"visible": False}})
    return Figure(
        name=f"parity-{number}",
        task=results[0].task,
        arms=[*arms, *points],
        title=results[0].task,
        caption="Left of the grey bar is within the threshold, right of it is not.",
        plot=plot,
        heads=["question", "precision", "arm", "error", "threshold", "verdict"],
        rows=[
            [
                words.question(result),
                result.precision,
                f"{result.backend} {result.execution}",
                words.error(result.error),
                words.error(result.threshold),
                words.spaced(result.verdict),
            ]
            for ours in asked.values()
            for result in ours
        ],
    )
