"""Errors of one backend's values against the reference's, and where they begin.

An error is normwise, ‖x - reference‖ / S. S is ‖reference‖, but for parameters' gradients the norm
of the same sum over absolute values: cancellation makes ‖reference‖ small there without making the
arithmetic worse.

Branch flips are where rounding may decide otherwise, and gradients then differ without being wrong.

A ReLU whose input is within rounding of 0, or a pooling window with a tie within rounding, passes
the gradient elsewhere. In cnn-small one such ReLU makes 5.5e-4 of a gradient. What lies behind the
last of them, as the gradient flows, cannot be judged by rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from suite.parity.findings import Findings
from suite.parity.layer_checks import greatest, relative
from suite.records.schema import Location
from tasks import spec
from tasks.spec import Layer, ModelSpec, Place

Errors = dict[str, float]  # by part/path

LATE_LOGITS = "trained/logits"  # predictions after a training
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


def worst(*found: Errors) -> Errors:
    """The worst error of each part."""
    return greatest((key.partition("/")[0], e) for each in found for key, e in each.items())


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
    found: Mapping[str, float], model: ModelSpec, limit: float
) -> tuple[str, Location] | None:
    """The part/path where an error exceeds the limit first, and the place: forward through the
    layers, each followed by its buffers, then the loss, then backward through them, then the
    optimizer. None if there is none.
    """
    for key, kind, path in _course(model):
        if found.get(key, 0.0) > limit:
            return key, Location(kind=kind, path=path)
    return None


def _course(model: ModelSpec) -> Iterator[tuple[str, Any, str]]:
    places = model.places()
    for place in places:
        yield f"activations/{place.path}", "layer", place.path
        for name in place.layer.buffers():
            path = f"{place.path}.{name}"
            yield f"buffers/{path}", "buffer", path
    # Where the activations of training are right, evaluation can only differ in a layer that does
    # something else then.
    evaluated = next((place for place in places if place.layer.buffers()), places[-1])
    yield "predictions/logits", "layer", evaluated.path
    yield "loss/loss", "loss", "loss"
    for place in reversed(places):
        for name in place.layer.parameters():
            path = f"{place.path}.{name}"
            yield f"gradients/{path}", "parameter", path
        for name in taken(place):
            yield f"input_gradients/{name}", "layer", place.path
    for part in ("update", "trained"):
        for path in model.parameters():
            yield f"{part}/{path}", "optimizer", path
    for path in model.buffers():
        yield f"trained/{path}", "buffer", path
    yield LATE_LOGITS, "layer", places[-1].path


def taken(place: Place) -> list[str]:
    """What the gradients of the place's inputs are called: its path, or of several that and a
    number.
    """
    if len(place.sources) == 1:
        return [place.path]
    return [f"{place.path}/{number}" for number in range(len(place.sources))]


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


def without_flips(
    errors: Errors, model: ModelSpec, found: Findings, wanted: Findings
) -> tuple[Errors, str | None]:
    """The errors that no flip reaches, and the last layer that has one."""
    flip: str | None = None
    reached: set[str] = set()
    # The gradients that a value's own passes on to.
    behind: dict[str, set[str]] = {name: set() for name in model.every_input}
    for place in model.places():
        before = set[str]().union(*(behind[source] for source in place.sources))
        key = f"activations/{place.sources[0]}"  # what has a kink takes one value
        mine, right = found.capture.get(key), wanted.capture.get(key)
        if (
            mine is not None
            and right is not None
            and mine.shape == right.shape
            and not np.array_equal(branches(place.layer, mine), branches(place.layer, right))
        ):
            flip = place.path
            reached |= before
        own = {f"gradients/{path}" for path in model.parameters_of(place)}
        behind[place.path] = before | own
    return {key: error for key, error in errors.items() if key not in reached}, flip


def kinked(layer: Layer) -> bool:
    """May rounding decide which way a gradient goes?"""
    return isinstance(layer, spec.ReLU | spec.MaxPool)


def branches(layer: Layer, x: NDArray[Any]) -> NDArray[Any]:
    """Which way each gradient goes; empty where there is only one."""
    if isinstance(layer, spec.ReLU):
        return x > 0
    if isinstance(layer, spec.MaxPool):
        edges = ((0, 0), (0, 0), *((layer.padding, layer.padding),) * 2)
        x = np.pad(x, edges, constant_values=-np.inf)
        windows = sliding_window_view(x, (layer.size, layer.size), axis=(2, 3))
        windows = windows[:, :, :: layer.stride, :: layer.stride]
        first: NDArray[Any] = windows.reshape(*windows.shape[:4], layer.size**2).argmax(axis=-1)
        return first
    return np.empty(0)
