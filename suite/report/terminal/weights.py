"""A file of weights as a model: its arrays, what is missing, and what frameworks make of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from suite.report.terminal.pieces import grid, part, plain
from suite.weights.check import MOST_OFF, Answer
from suite.weights.checkpoint import Checkpoint

MOST_NAMED = 20  # of arrays that are missing, and so on


def found_in(checkpoint: Checkpoint) -> dict[str, Any]:
    """The same as data."""
    found = checkpoint.found
    return {
        "model": checkpoint.model.name,
        "sizes": dict(checkpoint.sizes),
        "parameters": checkpoint.parameters,
        "arrays": [
            {"path": path, "name": name, "shape": list(array.shape), "type": kind}
            for path, name, array, kind in _rows(checkpoint)
        ],
        "missing": found.missing,
        "misshapen": found.misshapen,
        "left_over": found.left,
        "differing": found.apart,
        "left_out": checkpoint.left_out,
        "not_finite": checkpoint.not_finite,
        "prefix": {"taken_off": checkpoint.taken_off, "put_on": checkpoint.put_on},
    }


def show_found(checkpoint: Checkpoint, console: Console) -> None:
    """A row for each array, then what is wrong, and a line for all."""
    table = grid("path", "name in the file", "shape", "type")
    for path, name, array, kind in _rows(checkpoint):
        table.add_row(*map(plain, (path, name, _shape(array.shape), kind)))
    console.print(table)
    found = checkpoint.found
    part(
        "Missing",
        _some([f"{name}, which is {path}" for path, name in found.missing.items()]),
        console,
    )
    wrong = [
        f"{name} has {_shape(shape)}, and {path} is of {_shape(wanted)}"
        for path, (name, shape, wanted) in found.misshapen.items()
    ]
    part("Of another shape", _some(wrong), console)
    part("Left over", _some(found.left), console)
    part("Not what they repeat", _some(found.apart), console)
    part("Left out, as asked", _some(checkpoint.left_out), console)
    part("With a NaN or an infinity", _some(checkpoint.not_finite), console)
    console.print()
    for line in _summary(checkpoint):
        console.print(plain(line), highlight=False)


def show_answers(answers: Sequence[Answer], console: Console) -> None:
    """A row for each program."""
    if not answers:
        return
    table = grid(
        "backend", "execution", "precision", "logits off", "same guesses", "right", "s", "verdict"
    )
    for each in answers:
        numbers = (
            ("", "", "", "")
            if each.off is None
            else (
                f"{each.off:.1e}",
                f"{each.alike} of {each.guesses}",
                f"{each.right} of {each.targets}" if each.targets else "",
                f"{each.seconds:.1f}",
            )
        )
        verdict = f"{each.verdict}: {each.why}" if each.why else each.verdict
        table.add_row(
            *map(plain, (each.backend, each.execution, each.precision, *numbers, verdict))
        )
    console.print()
    console.print(table)
    console.print(plain(f"The same: logits within {MOST_OFF:g} of their norm."), highlight=False)


def _rows(checkpoint: Checkpoint) -> list[tuple[str, str, Any, str]]:
    names, stored = checkpoint.names, checkpoint.stored
    return [
        (path, name := names.theirs(path), array, stored[name])
        for path, array in checkpoint.found.ours.items()
    ]


def _summary(checkpoint: Checkpoint) -> list[str]:
    ours = checkpoint.found.ours
    kinds = Counter(kind for *_, kind in _rows(checkpoint))
    told = ", ".join(f"{kind} {number}" for kind, number in kinds.most_common())
    sizes = ", ".join(f"{name} {size}" for name, size in checkpoint.sizes.items())
    wanted = len(checkpoint.model.parameters() | checkpoint.model.buffers())
    lines = [
        f"{checkpoint.model.name}: {len(ours)} of {wanted} arrays, {checkpoint.parameters:,} "
        f"parameters; types: {told}",
        f"sizes: {sizes}",
    ]
    if checkpoint.taken_off:
        lines.append(f"names begin with {checkpoint.taken_off}, which is taken off")
    if checkpoint.put_on:
        lines.append(f"names begin without {checkpoint.put_on}, which is put on")
    return lines


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def _some(lines: Sequence[str]) -> list[str]:
    more = len(lines) - MOST_NAMED
    return [*lines[:MOST_NAMED], *([f"and {more} more"] if more > 0 else [])]
