"""The figures of parity's page: digits kept by layer and program, and how training goes on."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, inf, log10

from backends.base import PRECISIONS, TIMED
from suite.analysis import words
from suite.records.schema import ParityResult
from suite.report.grouping import grouped
from suite.report.page.drawing import Figure, frame, label, marker
from suite.report.page.styles import Styles, styles

ROW_PIXELS, FRAME_PIXELS = 24, 110

# From few digits to many: apart for any colour vision, and light enough for dark numbers on them.
LIGHT = [(0.0, "#e66101"), (0.5, "#fdd0a2"), (0.75, "#f7f7f7"), (1.0, "#92c5de")]

Program = tuple[str, str]  # backend, execution
Digits = dict[str, dict[Program, float]]  # by layer


def figures(results: Sequence[ParityResult]) -> dict[str, list[Figure]]:
    """The figures by section: digits and training."""
    looks = styles(programs_of(results))
    judged = [result for result in results if result.precision in TIMED]
    asked = grouped(judged, lambda result: (result.task, result.precision))
    several = len({precision for _, precision in asked}) > 1
    found: dict[str, list[Figure]] = {"digits": [], "training": []}
    for number, ((task, precision), ours) in enumerate(asked.items()):
        title = f"{task}, {precision}" if several else task
        most = -log10(PRECISIONS[precision].unit)
        for part, what in (("activations", "outputs"), ("gradients", "parameters' gradients")):
            if digits := _digits(ours, part):
                of = (f"{part}-{number}", f"{title}: {what}")
                found["digits"].append(_heat_map(*of, digits, looks, most))
        if any(result.trajectory for result in ours):
            found["training"].append(_course(f"training-{number}", title, ours, looks))
    return found


def programs_of(results: Sequence[ParityResult]) -> list[Program]:
    """The backends in each execution, in the order of their answers."""
    return list(dict.fromkeys((result.backend, result.execution) for result in results))


def _digits(results: Sequence[ParityResult], part: str) -> Digits:
    """The fewest digits kept in each layer, over its parameters and over seeds; in the model's
    order, though gradients are told from the loss on.
    """
    found: Digits = {}
    order: dict[str, int] = {}
    for result in results:
        layers = [
            key.removeprefix("activations/")
            for key in result.digits
            if key.startswith("activations/")
        ]
        for layer in layers:
            order.setdefault(layer, len(order))
        for key, digits in result.digits.items():
            kind, _, path = key.partition("/")
            if kind == part:
                owner = _owner(path, layers)
                kept = found.setdefault(owner, {})
                program = (result.backend, result.execution)
                kept[program] = min(digits, kept.get(program, digits))
    return dict(sorted(found.items(), key=lambda kept: order.get(kept[0], len(order))))


def _owner(path: str, layers: Sequence[str]) -> str:
    """The layer itself, or that of a parameter; a port may not show it."""
    owners = [layer for layer in layers if path == layer or path.startswith(f"{layer}.")]
    return max(owners, key=len, default=path)


def _heat_map(name: str, title: str, digits: Digits, looks: Styles, most: float) -> Figure:
    programs = list(dict.fromkeys(program for kept in digits.values() for program in kept))
    values = [[kept.get(program) for program in programs] for kept in digits.values()]
    heads = [
        f"{looks[backend, execution].glyph} {label(backend, 14)}<br>{label(execution, 14)}"
        for backend, execution in programs
    ]
    plot = frame("", height=FRAME_PIXELS + ROW_PIXELS * len(digits))
    plot.add(
        type="heatmap",
        z=values,
        text=[["" if v is None else f"{v:.1f}" for v in row] for row in values],
        texttemplate="%{text}",
        hovertext=[
            [
                f"{label(layer)}<br>{label(backend)} {label(execution)}"
                for backend, execution in programs
            ]
            for layer in digits
        ],
        hovertemplate="%{hovertext}<br>%{z:.2f} digits<extra></extra>",
        zmin=0,
        zmax=most,
        colorscale=LIGHT,
        textfont={"color": "#1a1f27"},
        showscale=False,
        xgap=2,
        ygap=2,
    )
    fixed = {"showgrid": False, "fixedrange": True}
    # Numbered, not named: names that are cut alike would share a row or a column.
    plot.axis("x", side="top", tickvals=list(range(len(heads))), ticktext=heads, **fixed)
    layers = [label(layer) for layer in digits]
    plot.axis(
        "y", autorange="reversed", tickvals=list(range(len(layers))), ticktext=layers, **fixed
    )
    return Figure(
        name=name,
        title=title,
        caption=f"Of {most:.1f} decimal digits, those that agree with float64; the fewest.",
        plot=plot,
        heads=["layer", *(f"{backend} {execution}" for backend, execution in programs)],
        rows=[
            [layer, *(words.NOT_AVAILABLE if v is None else f"{v:.2f}" for v in row)]
            for layer, row in zip(digits, values, strict=True)
        ],
    )


def _course(name: str, title: str, results: Sequence[ParityResult], looks: Styles) -> Figure:
    """Of several seeds the one in which a program strays furthest beyond the ensemble."""
    judged = [result for result in results if result.trajectory]
    furthest = max(judged, key=lambda result: inf if result.error is None else result.error)
    drawn = [result for result in judged if result.seed == furthest.seed]
    null = furthest.trajectory
    assert null is not None
    plot, rows = frame("step", "distance"), []
    plot.axis("y", type="log", exponentformat="power", dtick=1, range=_decades(drawn))
    plot.axis("x", type="log", tickvals=[1, 2, 5, 10, 20, 50])
    plot.add(
        x=null.steps,
        y=null.null,
        mode="lines",
        line={"color": "#888888", "width": 5},
        opacity=0.5,
        hovertemplate="null ensemble: %{y:.1e}<extra></extra>",
    )
    if null.horizon is not None:
        dotted = {"width": 1, "dash": "dot", "color": "#888888"}
        plot.segment(null.horizon, 0, 1, yref="y domain", line=dotted)
    for result in drawn:
        course, style = result.trajectory, looks[result.backend, result.execution]
        assert course is not None
        arm = f"{result.backend} {result.execution}"
        plot.add(
            x=course.steps,
            y=course.distances,
            mode="lines+markers",
            line={"color": style.colour, "dash": style.dash, "width": 1},
            marker=marker(style, 7),
            hovertemplate=f"{label(result.backend)} {label(result.execution)}: "
            "%{y:.1e}<extra></extra>",
        )
        rows += [
            [arm, str(step), words.error(far), words.error(most)]
            for step, far, most in zip(course.steps, course.distances, course.null, strict=True)
        ]
    seeds = len({result.seed for result in judged})
    return Figure(
        name=name,
        title=title if seeds == 1 else f"{title}, seed {furthest.seed}, the worst of {seeds}",
        caption="Thick and grey: the greatest of the null ensemble. Above it by much is another "
        "training. A dotted line: from there on rounding alone has made other trainings.",
        plot=plot,
        heads=["program", "step", "distance", "ensemble's"],
        rows=rows,
    )


def _decades(results: Sequence[ParityResult]) -> list[int] | None:
    """The whole powers of ten around all distances; None if there is none."""
    courses = [result.trajectory for result in results if result.trajectory]
    distances = [far for course in courses for far in (*course.distances, *course.null) if far]
    return [floor(log10(min(distances))), floor(log10(max(distances))) + 1] if distances else None
