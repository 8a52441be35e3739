"""The README's picture, from a published run: ``python -m docs.picture RUN docs/results.svg``.

Every row is a comparison. Every mark is an arm: its time over the time of the row's quickest arm,
with the 95 % interval of its own time. No browser is needed, and the file has no script.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html import escape
from math import ceil, floor, log2
from pathlib import Path

from suite.analysis.summary import WRONG
from suite.files import write_whole
from suite.records.schema import CellSummary, Summary
from suite.report.headlines import Group, groups
from suite.report.page.styles import Style, styles
from suite.report.readme import read

WIDTH, LEFT, RIGHT, TOP, ROW = 860, 210, 24, 74, 20  # pixels
MARK = 4.5  # half of a mark's width
INK, FAINT, PAPER = "#1f2328", "#d0d7de", "#ffffff"
MIDDLE = 'text-anchor="middle"'
TITLE = "Time of a step, beside the quickest arm of each row"
AXIS = "times as long as the quickest (the line: 95 % interval of the arm's own time)"
SHAPES = {  # corners of a mark of half-width 1
    "square": "-1,-1 1,-1 1,1 -1,1",
    "diamond": "0,-1.3 1.3,0 0,1.3 -1.3,0",
    "triangle-up": "0,-1.2 1.2,1 -1.2,1",
    "triangle-down": "0,1.2 1.2,-1 -1.2,-1",
    "star": "0,-1.4 0.4,-0.4 1.4,0 0.4,0.4 0,1.4 -0.4,0.4 -1.4,0 -0.4,-0.4",
}

Arm = tuple[str, str]  # backend, execution
Mark = tuple[Arm, tuple[float, float, float]]  # value, low, high


def picture(summary: Summary) -> str:
    """The times of all arms of all comparisons, as SVG; ValueError if there are none."""
    rows = [(_label(group), _measured(group)) for group in groups(summary)]
    rows = [(label, found) for label, found in rows if found]
    if not rows:
        raise ValueError(f"run {summary.id} has no times")
    arms = styles(list(dict.fromkeys(cell.arm for cell in summary.cells if _has_time(cell))))
    ends = [end for _, found in rows for _, (_, *interval) in found for end in interval]
    span = floor(log2(min(ends))), max(1, ceil(log2(max(ends))))
    return "\n".join(_lines(rows, arms, span)) + "\n"


def _label(group: Group) -> str:
    cell = group.arms[0].cell
    return f"{cell.task} {cell.phase} {cell.batch_size}"


def _has_time(cell: CellSummary) -> bool:
    return cell.step_seconds is not None and not cell.is_twin and cell.status not in WRONG


def _measured(group: Group) -> list[Mark]:
    """The arms with their times over the quickest one's, as (value, low, high)."""
    cells = [arm.cell for arm in group.arms if _has_time(arm.cell)]
    times = {cell.arm: cell.step_seconds for cell in cells}
    least = min((time.value for time in times.values()), default=1.0)
    return [(arm, (t.value / least, t.low / least, t.high / least)) for arm, t in times.items()]


def _lines(
    rows: list[tuple[str, list[Mark]]], arms: dict[Arm, Style], span: tuple[int, int]
) -> Iterator[str]:
    """The file, a line an element; ``span`` are the powers of 2 at the ends of the axis."""
    bottom = TOP + ROW * len(rows)
    first, last = span

    def across(times: float) -> float:
        share = (log2(times) - first) / (last - first)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 44}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">'
    )
    yield f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>'
    yield f'<text x="16" y="24" font-size="15" font-weight="600">{TITLE}</text>'
    room = (WIDTH - 32) / len(arms)
    for number, (arm, style) in enumerate(arms.items()):
        left = 16 + number * room
        yield _mark(style, left + MARK, 46)
        yield f'<text x="{left + 16:.1f}" y="50">{escape(" ".join(arm))}</text>'
    for power in range(first, last + 1):
        x = across(2**power)
        yield f'<path d="M{x:.1f} {TOP - 8}V{bottom}" stroke="{FAINT}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{2.0**power:g}</text>'
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{bottom + 34}" {MIDDLE}>{AXIS}</text>'
    for number, (label, found) in enumerate(rows):
        y = TOP + ROW * (number + 0.5)
        yield f'<text x="{LEFT - 14}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>'
        for arm, (value, low, high) in reversed(found):  # the quickest lies on top
            line = f"M{across(low):.1f} {y:.1f}H{across(high):.1f}"
            yield f'<path d="{line}" stroke="{arms[arm].colour}" stroke-width="1.5"/>'
            yield _mark(arms[arm], across(value), y)
    yield "</svg>"


def _mark(style: Style, x: float, y: float) -> str:
    shape, hollow, _ = style.symbol.partition("-open")
    filled = PAPER if hollow else style.colour
    paint = f'fill="{filled}" stroke="{style.colour}" stroke-width="{2 / MARK:.2f}"'
    place = f'transform="translate({x:.1f} {y:.1f}) scale({MARK})"'
    if shape in SHAPES:
        return f'<polygon points="{SHAPES[shape]}" {place} {paint}/>'
    return f'<circle r="1" {place} {paint}/>'


def main(folder: Path, file: Path) -> None:
    """Read the run's records, and write the picture."""
    write_whole(file, picture(read(folder).summary))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
