"""The figures of a run's page: throughput, memory, parity and raw samples."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from suite.report import words
from suite.report.drawing import Figure, Mark, beside, frame, label, marker, marks, rows_frame
from suite.report.findings import Arm, Group, groups
from suite.report.styles import Style, styles
from suite.report.training_figures import accuracy_figures
from suite.store.run import Run
from suite.store.schema import BlockRecord, CellSummary, ParityResult

SMALLEST_ERROR = 1e-18  # where a logarithmic axis puts an error of 0

Styles = dict[tuple[str, str], Style]
Value = tuple[float, float, float]  # with its interval


def figures(run: Run) -> dict[str, list[Figure]]:
    """The figures by section: throughput, memory, accuracy, parity, samples; none is empty."""
    found, looks = groups(run.summary), arm_styles(run)
    sections = {
        "throughput": _throughput(found, looks),
        "memory": _memory(found, looks),
        "accuracy": accuracy_figures(run.summary.trainings, looks),
        "parity": [_parity(run.summary.parity, looks)],
        "samples": _samples(found, run, looks),
    }
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


def _row_name(group: Group) -> str:
    """Task and setting in two lines; the usual precision and device go without saying."""
    cell = group.arms[0].cell
    setting = [cell.phase, f"×{cell.batch_size}", cell.precision, cell.device]
    setting = [word for word in setting if word not in ("float32", "cpu")]
    return f"{label(cell.task)}<br>{label(' '.join(setting))}"


def _rows(
    name: str,
    title: str,
    caption: str,
    x_title: str,
    found: list[Group],
    looks: Styles,
    value: Callable[[Arm], Value | None],
) -> Figure:
    """A row per comparison and a mark per arm that has a value."""
    known = [
        (group, [(arm, at) for arm in group.arms if (at := value(arm)) is not None])
        for group in found
    ]
    known = [(group, arms) for group, arms in known if arms]
    plot = rows_frame([_row_name(group) for group, _ in known], x_title)
    points: dict[tuple[str, str], list[Mark]] = {}
    for row, (_, arms) in enumerate(known):
        for position, (arm, at) in enumerate(arms):
            text = f"{label(arm.name)}: {words.number(at[0])}"
            points.setdefault(arm.cell.arm, []).append((beside(row, position, len(arms)), at, text))
    for key, ours in points.items():
        plot.add(**marks(ours, looks[key]))
    return Figure(
        name=name,
        title=title,
        caption=caption,
        plot=plot,
        heads=["task", "setting", "arm", x_title, "low", "high"],
        rows=[
            [group.task, group.setting, arm.name, *(words.number(each) for each in at)]
            for group, arms in known
            for arm, at in arms
        ],
    )


def _throughput(found: list[Group], looks: Styles) -> list[Figure]:
    best = {
        arm.cell.comparison: group.arms[0].cell.samples_per_second or 1.0
        for group in found
        for arm in group.arms
    }

    def relative(arm: Arm) -> Value | None:
        rate, scale = _rate(arm.cell), 100 / best[arm.cell.comparison]
        return rate and (rate[0] * scale, rate[1] * scale, rate[2] * scale)

    shares = _rows(
        "throughput-relative",
        "Relative to the fastest",
        "Further right is faster. Compare within a row.",
        "% of the fastest",
        found,
        looks,
        relative,
    )
    shares.plot.axis("x", rangemode="tozero")
    shares.plot.upright(100)
    rates = _rows(
        "throughput-absolute",
        "Absolute",
        "Further right is faster. The axis is logarithmic.",
        "samples/s",
        found,
        looks,
        lambda arm: _rate(arm.cell),
    )
    rates.plot.axis("x", type="log", dtick=1)
    return [shares, rates]


def _rate(cell: CellSummary) -> Value | None:
    """Samples per second with its interval, which a step's time has upside down."""
    value, step = cell.samples_per_second, cell.step_seconds
    if not value:
        return None
    if step is None or step.low <= 0:
        return (value, value, value)
    return (value, value * step.value / step.high, value * step.value / step.low)


def _memory(found: list[Group], looks: Styles) -> list[Figure]:
    kinds = {
        "process": ("Process peak", "Above the process's size after its imports."),
        "live": ("Live peak", "In tensors, as the framework counts."),
        "reserved": ("Reserved peak", "Held by the framework, in use or not."),
        "planned": ("Planned peak", "What the compiler set aside for a step, before it ran."),
    }

    def size(kind: str) -> Callable[[Arm], Value | None]:
        def value(arm: Arm) -> Value | None:
            size_bytes: int | None = getattr(arm.cell.memory, kind)
            return None if size_bytes is None else (size_bytes / words.MIBIBYTE,) * 3

        return value

    drawn = []
    for kind, (title, caption) in kinds.items():
        caption += " Less is better; no mark: not available."
        unit = f"{kind} MiB"
        figure = _rows(f"memory-{kind}", title, caption, unit, found, looks, size(kind))
        figure.plot.axis("x", rangemode="tozero")
        figure.plot.every_trace(error_x={"visible": False})
        drawn.append(figure)
    return drawn


def _parity(results: list[ParityResult], looks: Styles) -> Figure:
    """Errors beside the thresholds that they were held against, worst of each question."""
    asked: dict[tuple[str, str, str], list[ParityResult]] = {}
    for result in results:
        if result.error is not None:
            asked.setdefault((result.task, result.question, result.precision), []).append(result)
    names = [f"{label(task)}<br>{question} {label(p)}" for task, question, p in asked]
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
    for key, marked in points.items():
        plot.add(**marks(marked, looks[key]))
    plot.every_trace(error_x={"visible": False})
    return Figure(
        name="parity-errors",
        title="Error against threshold",
        caption="Left of the grey bar is within the threshold, right of it is not.",
        plot=plot,
        heads=["task", "question", "precision", "arm", "error", "threshold", "verdict"],
        rows=[
            [
                result.task,
                result.question,
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


def _samples(found: list[Group], run: Run, looks: Styles) -> list[Figure]:
    blocks: dict[tuple[object, ...], list[BlockRecord]] = {}
    for record in run.records:
        if isinstance(record, BlockRecord):
            blocks.setdefault(record.cell.comparison, []).append(record)
    drawn = []
    for number, group in enumerate(found):
        ours = blocks.get(group.arms[0].cell.comparison, [])
        ours.sort(key=lambda block: (block.launch, block.round, block.position))
        plot = frame("block, in time order", "ms per step")
        plot.axis("y", rangemode="tozero")
        names = {arm.cell.arm: arm.name for arm in group.arms}
        for key in dict.fromkeys(block.cell.arm for block in ours):
            own = [(at, block) for at, block in enumerate(ours) if block.cell.arm == key]
            for void in (False, True):
                shown = [(at, block) for at, block in own if (block.void is not None) == void]
                if shown:
                    name = label(names.get(key, key[0]))
                    plot.add(**_trace(shown, name, marker(looks[key], 6), void))
        for at in range(1, len(ours)):
            if ours[at].launch != ours[at - 1].launch:
                plot.upright(at - 0.5)
        drawn.append(
            Figure(
                name=f"samples-{number}",
                title=f"{group.task} {group.setting}",
                caption="A mark is a block of steps; dotted lines part the launches. "
                "A cross at the bottom is a block that does not count. The table has medians; "
                "every block is in tables/blocks.csv.",
                plot=plot,
                heads=["launch", "rounds", *(f"{arm.name} ms/step" for arm in group.arms)],
                rows=_launches(ours, group),
            )
        )
    return drawn


def _trace(
    shown: list[tuple[int, BlockRecord]], name: str, look: dict[str, Any], void: bool
) -> dict[str, Any]:
    """An arm's blocks. What hovering tells is put together in the browser: a text for every block
    would be most of the page.
    """
    why = [label(str(block.void)) for _, block in shown] if void else []
    told = f"{name}: %{{y}} ms, launch %{{customdata[0]}}, round %{{customdata[1]}}"
    return {
        "x": [at for at, _ in shown],
        "y": [0 if void else _milliseconds(block) for _, block in shown],
        "mode": "markers",
        "marker": look | {"symbol": "x-thin-open"} if void else look,
        "customdata": [[block.launch + 1, block.round + 1] for _, block in shown],
        "text": why or None,
        "hovertemplate": f"{name}, void: %{{text}}" if void else told,
        "hoverlabel": {"namelength": 0},
    }


def _milliseconds(block: BlockRecord) -> float:
    """Four digits of it: a clock tells no more, and they are what the page is made of."""
    return float(f"{1000 * block.seconds / block.steps:.4g}")


def _launches(blocks: list[BlockRecord], group: Group) -> list[list[str]]:
    """A row per launch: the median of what each arm took, and what does not count."""
    launches: dict[int, dict[tuple[str, str], list[BlockRecord]]] = {}
    for block in blocks:
        launches.setdefault(block.launch, {}).setdefault(block.cell.arm, []).append(block)
    return [
        [
            str(launch + 1),
            str(len({block.round for own in arms.values() for block in own})),
            *(_median(arms.get(arm.cell.arm, [])) for arm in group.arms),
        ]
        for launch, arms in launches.items()
    ]


def _median(blocks: list[BlockRecord]) -> str:
    counted = [_milliseconds(block) for block in blocks if not block.void]
    void = [str(block.void) for block in blocks if block.void]
    words_of = words.number(median(counted)) if counted else words.NOT_AVAILABLE
    return f"{words_of}, {len(void)} void: {words.listed(sorted(set(void)))}" if void else words_of
