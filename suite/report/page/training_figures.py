"""The figures of the trainings: test accuracies, loss and validation curves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import zip_longest

from suite.analysis import words
from suite.analysis.scores import SCORES
from suite.records.schema import Training
from suite.report.grouping import grouped
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
from suite.report.page.styles import Styles

POINTS_PER_CURVE = 300  # more can't be seen, and makes the page heavy


Curve = tuple[list[float], list[float]]


def accuracy_figures(trainings: list[Training], looks: Styles) -> list[Figure]:
    """Of each task: test accuracies, loss and validation curves."""
    tasks = grouped(trainings, lambda training: training.task)
    drawn = []
    for number, ours in enumerate(tasks.values()):
        averaged = max(_bin_steps(training) for training in ours)
        curves = partial(_curves, number, ours, looks)
        drawn += [
            _test_scores(number, ours, looks),
            curves(
                name="loss",
                title="training loss",
                caption=f"Means of {averaged} steps." if averaged > 1 else "Every step.",
                plot=frame("step", "loss"),
                mode="lines",
                curve=_loss,
                texts=_losses,
            ),
            curves(
                name="validation",
                title=f"validation {SCORES[ours[0].score].name}",
                caption="After each epoch; a line per seed.",
                plot=frame("epoch", SCORES[ours[0].score].unit),
                mode="lines+markers",
                curve=_validation,
                texts=_scores,
            ),
        ]
    return drawn


def _test_scores(number: int, trainings: list[Training], looks: Styles) -> Figure:
    """A row per arm and a mark per seed."""
    if trainings[0].score == "accuracy":
        return _test_accuracy(number, trainings, looks)
    score = SCORES[trainings[0].score]
    arms = grouped(trainings, lambda training: (training.backend, training.execution))
    axis = f"test {score.name}" + (", %" if score.unit == "%" else "")
    plot = rows_frame([label(" ".join(arm)) for arm in arms], axis)
    rows = []
    for row, (arm, ours) in enumerate(arms.items()):
        points: list[Mark] = []
        for position, training in enumerate(ours):
            value = score.scale * score.test(training)
            text = f"{label(_name(training))}: {words.number(value)}"
            points.append((beside(row, position, len(ours)), (value, value, value), text))
            told = f"{value:.{score.digits + 1}f}"
            rows.append([_name(training), f"{training.test_samples:,}", told])
        plot.add(**marks(points, looks[arm]))
    return Figure(
        name=f"test-{trainings[0].score.replace('_', '-')}-{number}",
        task=trainings[0].task,
        arms=list(arms),
        title=f"{trainings[0].task}: test {score.name}",
        caption=f"{score.note} One mark per seed.",
        plot=plot,
        heads=["training", score.counted, score.name],
        rows=rows,
    )


def _test_accuracy(number: int, trainings: list[Training], looks: Styles) -> Figure:
    arms = grouped(trainings, lambda training: (training.backend, training.execution))
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
    number: int,
    trainings: list[Training],
    looks: Styles,
    *,
    name: str,
    title: str,
    caption: str,
    plot: Plot,
    mode: str,
    curve: Callable[[Training], Curve],
    texts: Callable[[Training], list[str]],
) -> Figure:
    """A line per training in the empty ``plot``, a column per training in the table, which has a
    row per epoch.
    """
    for training in trainings:
        style = looks[training.backend, training.execution]
        x, y = curve(training)
        plot.add(
            x=x,
            y=y,
            mode=mode,
            line={"color": style.colour, "width": 1.8, "dash": style.dash},
            marker=marker(style, 6),
            name=label(_name(training)),
            hoverinfo="name+x+y",
            hoverlabel={"namelength": -1},
        )
    epochs = zip_longest(*map(texts, trainings), fillvalue=words.NOT_AVAILABLE)
    return Figure(
        name=f"{name}-{number}",
        task=trainings[0].task,
        arms=[(training.backend, training.execution) for training in trainings],
        title=f"{trainings[0].task}: {title}",
        caption=caption,
        plot=plot,
        heads=["epoch", *map(_name, trainings)],
        rows=[[str(epoch), *row] for epoch, row in enumerate(epochs, start=1)],
    )


def _name(training: Training) -> str:
    moved = "" if training.start == "stored" else ", moved by one ulp"
    return f"{training.backend} {training.execution}, seed {training.seed}{moved}"


def _validation(training: Training) -> Curve:
    score = SCORES[training.score]
    curve = [score.scale * value for value in score.curve(training)]
    return [float(epoch + 1) for epoch in range(len(curve))], curve


def _scores(training: Training) -> list[str]:
    score = SCORES[training.score]
    show = words.percent if score.unit == "%" else words.number
    return list(map(show, score.curve(training)))


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
