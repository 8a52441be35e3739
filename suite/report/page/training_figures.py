"""The figures of the trainings: test accuracies, loss and validation curves."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest

from suite.analysis import words
from suite.records.schema import Training
from suite.report.page.drawing import (
    Figure,
    Mark,
    Plot,
    beside,
    frame,
    label,
    marker,
    marks,
    rows_frame,
)
from suite.report.page.styles import Style

POINTS_PER_CURVE = 300  # more can't be seen, and makes the page heavy

Curve = tuple[list[float], list[float]]


def accuracy_figures(
    trainings: list[Training], looks: dict[tuple[str, str], Style]
) -> list[Figure]:
    """Of each task: test accuracies, loss and validation curves."""
    tasks: dict[str, list[Training]] = {}
    for training in trainings:
        tasks.setdefault(training.task, []).append(training)
    drawn = []
    for number, (task, ours) in enumerate(tasks.items()):
        arms: list[tuple[str, str] | None] = [(t.backend, t.execution) for t in ours]
        heads = ["epoch", *map(_name, ours)]
        loss = _curves(ours, looks, _loss, "step", "loss")
        validation = _curves(ours, looks, _validation, "epoch", "%")
        validation.every_trace(mode="lines+markers")
        averaged = max(_bin_steps(training) for training in ours)
        drawn += [
            _test_accuracy(number, ours, looks),
            Figure(
                name=f"loss-{number}",
                task=task,
                arms=arms,
                title=f"{task}: training loss",
                caption=f"Means of {averaged} steps." if averaged > 1 else "Every step.",
                plot=loss,
                heads=heads,
                rows=_epochs([_losses(training) for training in ours]),
            ),
            Figure(
                name=f"validation-{number}",
                task=task,
                arms=arms,
                title=f"{task}: validation accuracy",
                caption="After each epoch; a line per seed.",
                plot=validation,
                heads=heads,
                rows=_epochs([_shares(training) for training in ours]),
            ),
        ]
    return drawn


def _test_accuracy(
    number: int, trainings: list[Training], looks: dict[tuple[str, str], Style]
) -> Figure:
    """A row per arm and a mark per seed."""
    arms: dict[tuple[str, str], list[Training]] = {}
    for training in trainings:
        arms.setdefault((training.backend, training.execution), []).append(training)
    plot = rows_frame([label(" ".join(arm)) for arm in arms], "test accuracy, %")
    rows = []
    for row, (arm, ours) in enumerate(arms.items()):
        points: list[Mark] = []
        for position, training in enumerate(ours):
            at = words.accuracy_interval(training)
            low, high = words.percent(at.low), words.percent(at.high)
            text = f"{label(_name(training))}: {words.percent(at.value)} ({low} to {high})"
            interval = (100 * at.value, 100 * at.low, 100 * at.high)
            points.append((beside(row, position, len(ours)), interval, text))
            share = f"{training.test_correct:,} of {training.test_samples:,}"
            rows.append([_name(training), share, words.percent(at.value), low, high])
        plot.add(**marks(points, looks[arm]))
    return Figure(
        name=f"test-accuracy-{number}",
        task=trainings[0].task,
        arms=list(arms),
        title=f"{trainings[0].task}: test accuracy",
        caption="Bars: what so few test samples leave open (95 %). One mark per seed.",
        plot=plot,
        heads=["training", "correct", "test accuracy", "low", "high"],
        rows=rows,
    )


def _curves(
    trainings: list[Training],
    looks: dict[tuple[str, str], Style],
    curve: Callable[[Training], Curve],
    x_title: str,
    y_title: str,
) -> Plot:
    plot = frame(x_title, y_title)
    for training in trainings:
        style = looks[(training.backend, training.execution)]
        x, y = curve(training)
        plot.add(
            x=x,
            y=y,
            mode="lines",
            line={"color": style.colour, "width": 1.8, "dash": style.dash},
            marker=marker(style, 6),
            name=label(_name(training)),
            hoverinfo="name+x+y",
            hoverlabel={"namelength": -1},
        )
    return plot


def _name(training: Training) -> str:
    moved = "" if training.start == "stored" else ", moved by one ulp"
    return f"{training.backend} {training.execution}, seed {training.seed}{moved}"


def _validation(training: Training) -> Curve:
    curve = training.validation_accuracies
    return [float(epoch + 1) for epoch in range(len(curve))], [100 * share for share in curve]


def _loss(training: Training) -> Curve:
    width = _bin_steps(training)
    means = _means(training.losses, width)
    return [width * (number + 0.5) for number in range(len(means))], means


def _bin_steps(training: Training) -> int:
    return -(-len(training.losses) // POINTS_PER_CURVE) or 1


def _means(values: list[float], width: int) -> list[float]:
    bins = [values[start : start + width] for start in range(0, len(values), width)]
    return [sum(each) / len(each) for each in bins]


def _losses(training: Training) -> list[str]:
    steps = max(1, len(training.losses) // max(training.epochs, 1))
    return [words.number(loss) for loss in _means(training.losses, steps)]


def _shares(training: Training) -> list[str]:
    return [words.percent(share) for share in training.validation_accuracies]


def _epochs(curves: list[list[str]]) -> list[list[str]]:
    """A row per epoch, a column per training."""
    rows = zip_longest(*curves, fillvalue=words.NOT_AVAILABLE)
    return [[str(epoch), *row] for epoch, row in enumerate(rows, start=1)]
