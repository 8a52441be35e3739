"""Errors of one backend's values against the reference's, and where they begin.

An error is normwise, ‖x - reference‖ / S. S is ‖reference‖, but for parameters' gradients the norm
of the same sum over absolute values: cancellation makes ‖reference‖ small there without making the
arithmetic worse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.parity.findings import Findings
from suite.records.schema import Location
from tasks.spec import ModelSpec

Errors = dict[str, float]  # by part/path

FEW = 1e-6  # of the greatest difference: no more than what rounding makes of it
MOST_NAMED = 4  # rows


def errors(found: Findings, reference: Findings, parts: tuple[str, ...]) -> Errors:
    """The error of every array in the named parts; infinite where one is missing, misshapen or not
    finite. What a whole-model port does not show of its inner values is left out; see ``unseen``.
    """
    result: Errors = {}
    left_out = set(unseen(found, reference))
    for key, wanted in reference.capture.items():
        part, _, path = key.partition("/")
        if part in parts and key not in left_out:
            scale = reference.scales.get(path) if part == "gradients" else None
            result[key] = relative(found.capture.get(key), wanted, scale)
    if "loss" in parts:
        result["loss/loss"] = relative(np.asarray(found.loss), np.asarray(reference.loss))
    for part, mine, theirs in (
        ("update", found.update, reference.update),
        ("trained", found.trained, reference.trained),
    ):
        if part in parts:
            result |= {f"{part}/{p}": relative(mine.get(p), a) for p, a in theirs.items()}
    return result


def unseen(found: Findings, reference: Findings) -> list[str]:
    """The activations and gradients of inputs that the backend does not show."""
    return [
        key
        for key in reference.capture
        if key.startswith(("activations/", "input_gradients/")) and key not in found.capture
    ]


def worst(found: Errors) -> Errors:
    """The worst error of each part."""
    parts: Errors = {}
    for key, value in found.items():
        part = key.partition("/")[0]
        parts[part] = max(parts.get(part, 0.0), value)
    return parts


def judged(found: Errors, differences: Mapping[str, str]) -> Errors:
    """The errors of parts that the backend does not do by a rule of its own."""
    return {key: error for key, error in found.items() if key.partition("/")[0] not in differences}


def labelled(found: Errors, differences: Mapping[str, str]) -> str | None:
    """The others in words, each with its worst error; None if there are none."""
    off = worst(found)
    told = [
        f"{part} off by {off[part]:.1e} ({why})" for part, why in differences.items() if part in off
    ]
    return f"not judged, by a rule of its own: {', '.join(told)}" if told else None


def first(
    found: Mapping[str, float], model: ModelSpec, limits: Mapping[str, float]
) -> tuple[str, Location] | None:
    """The part/path where an error exceeds its limit first, and the place: forward through the
    layers, each followed by its buffers, then the loss, then backward through them, then the
    optimizer. None if there is none.
    """
    for key, location in _course(model):
        if key in found and found[key] > limits[key]:
            return key, location
    return None


def _course(model: ModelSpec) -> Iterator[tuple[str, Location]]:
    places = model.places()
    for place in places:
        yield f"activations/{place.path}", Location(kind="layer", path=place.path)
        for name in place.layer.buffers():
            path = f"{place.path}.{name}"
            yield f"buffers/{path}", Location(kind="buffer", path=path)
    # Where the activations of training are right, evaluation can only differ in a layer that does
    # something else then.
    evaluated = next((place for place in places if place.layer.buffers()), places[-1])
    yield "predictions/logits", Location(kind="layer", path=evaluated.path)
    yield "loss/loss", Location(kind="loss", path="loss")
    for place in reversed(places):
        for name in place.layer.parameters():
            path = f"{place.path}.{name}"
            yield f"gradients/{path}", Location(kind="parameter", path=path)
        yield f"input_gradients/{place.path}", Location(kind="layer", path=place.path)
    for part in ("update", "trained"):
        for path in model.parameters():
            yield f"{part}/{path}", Location(kind="optimizer", path=path)
    for path in model.buffers():
        yield f"trained/{path}", Location(kind="buffer", path=path)


def only(found: NDArray[Any] | None, wanted: NDArray[Any]) -> str | None:
    """The few rows or columns of a matrix that are off, in words; None if most of them are, or
    rounding alone.
    """
    if found is None or found.shape != wanted.shape or wanted.ndim < 2:
        return None
    off = np.abs(found - wanted)
    for axis, name in enumerate(("row", "column")):
        each = off.max(axis=tuple(other for other in range(off.ndim) if other != axis))
        least = FEW * each.max()
        at = np.flatnonzero(~(each <= least))
        if 0 < len(at) <= min(MOST_NAMED, len(each) // 2):
            return f"only in {name}{'s' * (len(at) > 1)} {', '.join(map(str, at))}"
    return None


def repeated(again: NDArray[Any] | None, before: NDArray[Any] | None, limit: float) -> bool:
    """Did another call give the same, up to rounding? What is not a number both times did."""
    if again is None or before is None or again.shape != before.shape:
        return again is before
    return relative(np.nan_to_num(again), np.nan_to_num(before)) <= limit


def relative(
    value: NDArray[Any] | None,
    wanted: NDArray[Any],
    scale: float | None = None,
    least: float = 0.0,
) -> float:
    """‖value - wanted‖ / ‖wanted‖, or / ``scale``; below ``least`` it is absolute, and infinite if
    the value is missing, misshapen or not finite.
    """
    if value is None or value.shape != wanted.shape:
        return float("inf")
    size = max(float(np.linalg.norm(wanted)) if scale is None else scale, least)
    error = float(np.linalg.norm(value - wanted))
    if not isfinite(error):
        return float("inf")
    return error / size if size > 0 else error
