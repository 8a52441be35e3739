"""Known mistakes about layers, each as a change to the case that the reference is given: other
fields, other parameters, other inputs, another mask. A mistake is confirmed if the reference, so
misled, gives the backend's output.

Sources: the frameworks' defaults as ``docs/atlas.md`` lists them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.parity.known_mistakes.words import Mistake
from suite.parity.layer_checks import Arrays, Case
from tasks import spec
from tasks.base import each
from tasks.spec import Layer, Place, local

Floats = NDArray[np.float64]
Mistakes = Iterator[Mistake[Case]]

EPSILONS = (1e-3, 1e-5, 1e-6, 1e-12, 1e-8, 1e-7, 1e-4, 1e-2, 1e-15, 1e-300)


FLIPPED = "the kernel flipped, as a mathematical convolution"
DEALT = "channels dealt to the groups in turn"
SAME = "padding at the end first, as SAME with stride 2"


def mistakes(case: Case) -> Mistakes:
    """Mistakes about this layer at these parameters."""
    layer, p = case.layer, case.parameters
    for field, value in _fields(layer):
        own = getattr(layer, field)
        if value != own:
            other = replace(case, layer=replace(layer, **{field: value}))
            yield Mistake(field, f"{field} {value} in place of {own}", other, field)
    for word, words, arrays in _parameters(layer, p):
        yield Mistake(word, words, replace(case, parameters=p | arrays))
    for word, words, changes in _others(case):
        # Another layer of the kind is the only way to say it of a field.
        about = word if "layer" in changes and hasattr(layer, word) else None
        yield Mistake(word, words, replace(case, **changes), about)


def _fields(layer: Layer) -> Iterator[tuple[str, Any]]:
    """Usual values of fields, the most likely first; its own may be among them."""
    match layer:
        case spec.LayerNorm() | spec.RMSNorm() | spec.BatchNorm():
            yield from (("epsilon", epsilon) for epsilon in EPSILONS)
        case spec.GroupNorm():
            yield from (("epsilon", epsilon) for epsilon in EPSILONS)
            every = range(1, layer.channels + 1)
            yield from (("groups", groups) for groups in every if layer.channels % groups == 0)
        case spec.AvgPool() if layer.padding:
            yield "count_padding", not layer.count_padding
        case spec.GELU():
            yield "approximate", not layer.approximate
        case spec.Attention():
            yield "causal", not layer.causal
            if layer.rotary is None and layer.shared_heads == layer.heads:
                every = range(1, layer.width + 1)
                yield from (("heads", heads) for heads in every if layer.width % heads == 0)
        case spec.Embedding():
            yield "scale", 1.0
        case spec.Recurrent():
            yield from (("num_layers", level) for level in range(1, layer.num_layers))


def _parameters(layer: Layer, p: Arrays) -> Iterator[tuple[str, str, Arrays]]:
    """A word, words, and other parameters, the most likely first."""
    match layer:
        case spec.LayerNorm() | spec.RMSNorm() | spec.BatchNorm() | spec.GroupNorm():
            if "weight" in p:
                yield "weight", "weight left out", {"weight": np.ones_like(p["weight"])}
            if isinstance(layer, spec.RMSNorm):
                yield "weight", "1 added to the weight", {"weight": 1 + p["weight"]}
        case spec.Conv2d():
            weight = p["weight"]
            yield "kernel", FLIPPED, {"weight": weight[..., ::-1, ::-1]}
            if weight.shape[2] == weight.shape[3]:
                words = "height and width of the kernel swapped"
                yield "kernel", words, {"weight": weight.swapaxes(2, 3)}
        case spec.Conv1d():
            yield "kernel", FLIPPED, {"weight": p["weight"][..., ::-1]}
        case spec.ClassToken():
            yield "weight", "the token left at 0", {"weight": np.zeros_like(p["weight"])}
        case spec.Embedding():
            weight = p["weight"] * sqrt(layer.width)
            yield "scale", "rows multiplied by the root of the width", {"weight": weight}
            weight = p["weight"].copy()
            weight[0] = 0
            yield "padding", "row 0 taken for padding", {"weight": weight}
        case spec.Attention():
            width = layer.head_width
            for words, factor in (
                ("scores not divided by the root of a head's width", sqrt(width)),
                ("scores divided by the root of the whole width", sqrt(width / layer.width)),
                ("scores divided by a head's width", 1 / sqrt(width)),
            ):
                yield "scale", words, {n: a * factor for n, a in p.items() if n.startswith("query")}
            if layer.shared_heads == layer.heads:
                swapped = {
                    "query.weight": p["key.weight"],
                    "key.weight": p["query.weight"],
                }
                if layer.biases:
                    unbiased = np.zeros_like(p["query.bias"])
                    swapped["query.bias"] = p.get("key.bias", unbiased)
                if layer.key_bias:
                    swapped["key.bias"] = p["query.bias"]
                yield "queries", "queries and keys swapped", swapped
            elif layer.shared_heads > 1:
                # What head h attends with, in the place of the head that should.
                by_turns = np.arange(layer.heads).reshape(layer.shared_heads, -1).T.ravel()
                places = np.arange(layer.width).reshape(layer.heads, -1)[np.argsort(by_turns)]
                order = places.ravel()
                queries = {n: a[order] for n, a in p.items() if n.startswith("query")}
                turned = queries | {"output.weight": p["output.weight"][:, order]}
                yield "heads", "heads of keys and values taken in turns", turned
        case spec.Recurrent():
            yield from _of_gates(layer, p)
    for name, array in p.items():
        cancels = name == "key.bias" and isinstance(layer, spec.Attention) and not layer.rotary
        if name.rpartition(".")[2].startswith("bias") and not cancels:
            yield "bias", f"{name} left out", {name: np.zeros_like(array)}


GATES: dict[type[Layer], dict[str, tuple[int, ...]]] = {
    spec.LSTM: {
        "i, f, o, g": (0, 1, 3, 2),
        "f, i, g, o": (1, 0, 2, 3),
        "i, g, f, o": (0, 2, 1, 3),
        "f, i, o, g": (1, 0, 3, 2),
        "g, i, f, o": (2, 0, 1, 3),
        "o, f, g, i": (3, 1, 2, 0),
    },
    spec.GRU: {"z, r, n": (1, 0, 2), "r, n, z": (0, 2, 1), "n, z, r": (2, 1, 0)},
}


def _of_gates(layer: spec.Recurrent, p: Arrays) -> Iterator[tuple[str, str, Arrays]]:
    for order, blocks in GATES.get(type(layer), {}).items():
        # Whoever reads block k as another gate computes with that gate's rows in k's place.
        places, read = np.argsort(blocks), Arrays()
        for name, array in p.items():
            parts = np.split(array, len(blocks))
            read[name] = np.concatenate([parts[k] for k in places])
        yield "gates", f"gates in the order {order}", read
    if isinstance(layer, spec.LSTM):
        forgetting = {name: a.copy() for name, a in p.items() if name.startswith("bias_ih")}
        for bias in forgetting.values():
            bias[layer.hidden_size : 2 * layer.hidden_size] += 1
        yield "bias", "1 added to the forget gate's bias", forgetting
    if layer.bidirectional:
        ends = {"": "_reverse", "_reverse": ""}
        crossed = {
            f"{name}{other}": p[f"{name}{end}"]
            for name in p
            if not name.endswith("_reverse")
            for end, other in ends.items()
        }
        yield "order", "the two directions' parameters swapped", crossed
    for which in ("bias_ih", "bias_hh"):
        without = {name: np.zeros_like(a) for name, a in p.items() if name.startswith(which)}
        yield "bias", f"{which} left out", without


def _others(case: Case) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """A word, words, and other changes to the case, the most likely first."""
    layer, x = case.layer, case.several[0]
    match layer:
        case spec.LayerNorm():
            shrink = (layer.width - 1) / layer.width
            weight = case.parameters["weight"] * sqrt(shrink)
            unbiased = {
                "layer": replace(layer, epsilon=layer.epsilon * shrink),
                "parameters": case.parameters | {"weight": weight},
            }
            yield "variance", "the unbiased variance", unbiased
        case spec.RMSNorm():
            words = "the mean subtracted, as layer norm does"
            yield "mean", words, {"inputs": x - x.mean(axis=-1, keepdims=True)}
        case spec.BatchNorm() if case.valid is not None:
            yield "statistics", "the statistics over padding too", _over_padding(case, layer)
        case spec.Conv2d():
            if any(spec.pair(layer.padding)):
                yield from _paddings(layer, x, layer.kernel_size, layer.stride, layer.padding)
            if layer.groups > 1:
                dealt = np.arange(layer.in_channels).reshape(-1, layer.groups).T.ravel()
                yield "groups", DEALT, {"inputs": x[:, dealt]}
        case spec.Conv1d():
            if layer.padding:
                seen = x if case.valid is None else x * case.valid[..., None]
                kernel, stride, sides = (layer.kernel_size,), (layer.stride,), (layer.padding,)
                along = _paddings(layer, seen.swapaxes(1, 2), kernel, stride, sides)
                for word, words, changes in along:
                    inputs = changes["inputs"].swapaxes(1, 2)
                    yield word, words, changes | {"inputs": inputs, "valid": None}
            if layer.groups > 1:
                dealt = np.arange(layer.in_features).reshape(-1, layer.groups).T.ravel()
                yield "groups", DEALT, {"inputs": x[..., dealt]}
        case spec.MeanPlaces():
            yield "mean", "the sum in place of the mean", {"inputs": x * (x[0, 0].size)}
            greatest = x.max(axis=(2, 3), keepdims=True)
            words = "the greatest value in place of the mean"
            yield "mean", words, {"inputs": np.broadcast_to(greatest, x.shape)}
        case spec.PlacesToSteps():
            yield "order", "column after column", {"inputs": x.swapaxes(2, 3)}
            steps = x.reshape(len(x), -1, x.shape[1])  # of what lies channels first
            words = "channels taken for steps, without a transpose"
            yield "order", words, {"inputs": steps.swapaxes(1, 2).reshape(x.shape)}
        case spec.FirstStep():
            yield "order", "the last step in place of the first", {"inputs": x[:, ::-1]}
        case spec.MaxPool() if layer.padding:
            edges = ((0, 0), (0, 0), *((layer.padding, layer.padding),) * 2)
            bare, words = replace(layer, padding=0), "padding with 0 in place of -inf"
            yield "padding", words, {"layer": bare, "inputs": np.pad(x, edges)}
            ends = _same(x.shape[2:], (layer.size,) * 2, (layer.stride,) * 2)
            if layer.stride > 1 and ends != [*edges[2:]]:
                padded = np.pad(x, [(0, 0), (0, 0), *ends], constant_values=-np.inf)
                yield "padding", SAME, {"layer": bare, "inputs": padded}
        case spec.PositionalEncoding():
            steps = x.shape[1]
            table = layer.table(steps)
            pairs = (layer.width // 2, 2) if layer.layout == "interleaved" else (2, -1)
            axis = 2 if layer.layout == "interleaved" else 1
            crossed = np.flip(table.reshape(steps, *pairs), axis).reshape(table.shape)
            layouts = ["in two halves", "alternating"]
            others: Any = ["halves", "interleaved"]
            if layer.layout == "halves":
                layouts, others = layouts[::-1], others[::-1]
            for words, other in (
                (
                    f"sines and cosines {layouts[0]} in place of {layouts[1]}",
                    replace(layer, layout=others[0]).table(steps),
                ),
                ("positions counted from 1", layer.table(steps + 1)[1:]),
                ("cosines before sines", crossed),
                ("wave lengths by width / 2 - 1, as Tensor2Tensor", _ending(layer, steps)),
                ("no position added", np.zeros_like(table)),
            ):
                yield "position", words, {"inputs": x + (other - table)}
            words = "the input multiplied by the root of the width"
            yield "scale", words, {"inputs": x * sqrt(layer.width)}
        case spec.PositionalEmbedding():
            rows = layer.table_rows
            for offset in sorted({0, 1, 2, max(0, layer.offset - 1), layer.offset + 1}):
                if offset != layer.offset and offset + layer.steps <= rows:
                    words = f"rows from {offset} in place of {layer.offset} on"
                    yield "position", words, {"layer": replace(layer, offset=offset, rows=rows)}
            if layer.count == "valid":
                words = "all steps counted in place of valid ones"
                yield "position", words, {"layer": replace(layer, count="all")}
            if layer.count == "valid" and case.valid is not None:
                at = layer.offset + np.maximum(case.valid.cumsum(axis=1) - 1, 0)
                rows_too = np.where(case.valid[..., None], 0.0, case.parameters["weight"][at])
                words = "a row for steps that are padding too"
                yield "position", words, {"inputs": x + rows_too}
        case spec.Rotary():
            for words, rotary in _rotations(layer):
                yield "position", words, {"layer": rotary}
        case spec.Attention():
            if layer.rotary is not None:
                for words, rotary in _rotations(layer.rotary):
                    yield "position", words, {"layer": replace(layer, rotary=rotary)}
                words = "queries and keys not turned"
                yield "position", words, {"layer": replace(layer, rotary=None)}
            if len(case.several) > 1:
                masks = case.valid if isinstance(case.valid, tuple) else (case.valid, None)
                own = {"inputs": (x, x), "valid": (masks[0], masks[0])}
                yield "inputs", "keys and values not of the memory", own
                if any(mask is not None for mask in masks) and case.several[1].shape == x.shape:
                    words = "the other value's mask in place of the memory's"
                    yield "mask", words, {"valid": masks[::-1]}
        case spec.MeanSteps():
            valid = np.ones(x.shape[:2]) if case.valid is None else case.valid
            count = valid.sum(1)[:, None, None]
            words = "the sum divided by the padded length"
            yield "mean", words, {"inputs": x * (count / x.shape[1])}
            for epsilon in (1e-6, 1e-5, 1e-3, 1.0):
                words = f"{epsilon:g} added to the number of valid steps"
                yield "mean", words, {"inputs": x * (count / (count + epsilon))}
        case spec.Add():
            shared = tuple(one / len(case.several) for one in case.several)
            yield "mean", "the mean in place of the sum", {"inputs": shared}
            for number in range(len(case.several)):
                without = [a * (n != number) for n, a in enumerate(case.several)]
                yield "inputs", f"value {number} left out", {"inputs": tuple(without)}
        case spec.Multiply():
            first, second = case.several
            yield "inputs", "value 0 left out", {"inputs": (np.ones_like(first), second)}
            yield "inputs", "value 1 left out", {"inputs": (first, np.ones_like(second))}
        case spec.Concat():
            yield "order", "the values in the opposite order", {"inputs": case.several[::-1]}
    if case.valid is not None:
        yield "mask", "padding taken for steps", {"valid": each(np.ones_like, case.valid)}
        yield "mask", "the mask's meaning inverted", {"valid": each(np.logical_not, case.valid)}
        yield "mask", "each row's last valid step left out", {"valid": each(_shorter, case.valid)}


def _shorter(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Lengths that are a step too short, as those of a stride that rounds down; a row keeps one."""
    last = valid.shape[1] - 1 - valid[:, ::-1].argmax(axis=1)
    at = np.arange(valid.shape[1])
    kept: NDArray[np.bool_] = valid & ((at != last[:, None]) | (valid.sum(axis=1) < 2)[:, None])
    return kept


def _ending(layer: spec.PositionalEncoding, steps: int) -> Floats:
    """A table whose last wave is 10,000 steps long, not the one after it (tensor2tensor,
    layers/common_attention.py).
    """
    half = layer.width // 2
    angles = np.arange(steps)[:, None] / 10_000 ** (np.arange(half) / max(half - 1, 1))
    waves = np.sin(angles), np.cos(angles)
    if layer.layout == "halves":
        return np.concatenate(waves, axis=-1)
    return np.stack(waves, axis=-1).reshape(steps, layer.width)


def _over_padding(case: Case, layer: spec.BatchNorm) -> dict[str, Any]:
    """The weight and the bias with which the valid steps' statistics give what those of all steps
    give with the layer's own.
    """
    x, p = case.several[0], case.parameters
    right, wrong = (
        (values.mean(axis=0), np.sqrt(values.var(axis=0) + layer.epsilon))
        for values in (x[case.valid], x.reshape(-1, layer.channels))
    )
    weight = p.get("weight", np.ones(layer.channels)) / wrong[1]
    moved = {"weight": weight * right[1], "bias": p["bias"] + weight * (right[0] - wrong[0])}
    return {"layer": replace(layer, scale=True), "parameters": p | moved}


def _rotations(layer: spec.Rotary) -> Iterator[tuple[str, spec.Rotary]]:
    """Words, and another rotation; of a single pair there is none."""
    if layer.width == 2:
        return
    own: Any = ("halves", "pairs")
    if layer.layout == "pairs":
        own = own[::-1]
    yield f"features turned in {own[1]} in place of {own[0]}", replace(layer, layout=own[1])
    for base in (1e4, 5e5, 1e6):
        if base != layer.base:
            yield f"base {base:g} in place of {layer.base:g}", replace(layer, base=base)


def _paddings(
    layer: spec.Conv2d | spec.Conv1d, x: Floats, *sizes: int | tuple[int, ...]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Other paddings of the last axes in place of a convolution's own; ``sizes`` are its kernel,
    its stride and its padding, of each axis or of both.
    """
    each_axis = tuple(spec.pair(size) if isinstance(size, int) else size for size in sizes)
    kernel, stride, sides = each_axis
    own = [(side, side) for side in sides]
    same = _same(x.shape[2:], kernel, stride)
    ways = [
        ("padding at the end only", [(0, 2 * side) for side in sides], "constant"),
        ("padding at the start only", [(2 * side, 0) for side in sides], "constant"),
        ("padding by reflection", own, "reflect"),
        ("padding by repeating the edge", own, "edge"),
    ]
    if same != own and any(step > 1 for step in stride):
        ways.insert(0, (SAME, same, "constant"))
    bare = replace(layer, padding=0)
    for words, edges, mode in ways:
        pad: Any = np.pad  # its overloads know no mode that is a variable
        padded = pad(x, [(0, 0)] * (x.ndim - len(sides)) + edges, mode=mode)
        yield "padding", words, {"layer": bare, "inputs": padded}


def _same(
    sizes: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...]
) -> list[tuple[int, int]]:
    """TensorFlow's padding of each axis: as little as gives a window for every ``stride`` places,
    the odd one at the end (tf.nn, "Notes on padding").
    """
    totals = [
        max((ceil(size / step) - 1) * step + window - size, 0)
        for size, window, step in zip(sizes, kernel, stride, strict=True)
    ]
    return [(total // 2, total - total // 2) for total in totals]


def unseen(place: Place, parameters: Mapping[str, Any]) -> list[Mistake[Case]]:
    """Those at this place that another layer or other parameters make, whatever it is given; the
    model's parameters are these.
    """
    several = tuple(np.ones((1, *shape)) for shape in place.input_shapes)
    case = Case(
        name="any",
        layer=place.layer,
        path=place.path,
        parameters=local(parameters, place.path),
        inputs=several if len(several) > 1 else several[0],
        upstream=several[0],
    )
    return [one for one in mistakes(case) if one.instead.inputs is case.inputs]


def of_statistics(
    name: str, momentum: float, old: Floats, new: Floats, count: int
) -> Iterator[Mistake[Floats]]:
    """About running statistics, new = (1 - momentum) old + momentum batch: what they would be.
    ``new`` is right, ``count`` values per channel.
    """
    batch = (new - (1 - momentum) * old) / momentum

    def mixed(other: float, batch: Floats = batch) -> Floats:
        return (1 - other) * old + other * batch

    swapped = momentum * old + (1 - momentum) * batch
    yield Mistake("momentum", "momentum as the weight of the old value", swapped, "momentum")
    if name == "running_var":
        biased, deviation = batch * (count - 1) / count, np.sqrt(np.maximum(batch, 0))
        yield Mistake("variance", "the biased variance", mixed(momentum, biased))
        words = "the deviation in place of the variance"
        yield Mistake("variance", words, mixed(momentum, deviation))
    yield Mistake("statistics", "a buffer that is never updated", old)
    yield Mistake("statistics", "the batch's statistics as they are", batch, "momentum")
    for other in (0.01, 0.1, 0.001, 0.03, 0.5):
        words = f"momentum {other:g} in place of {momentum:g}"
        yield Mistake("momentum", words, mixed(other), "momentum")


FORMATS = {"TF32 or float16": 11, "bfloat16": 8}  # significant bits, with the leading one


def narrower(case: Case) -> Mistakes:
    """Known ways of keeping less than a precision allows: operands rounded to a narrower format
    before the layer computes. A way is confirmed if the reference, given such operands, comes much
    closer to what the backend made than the truth does.

    Sources: TF32 keeps 10 bits of the fraction (NVIDIA A100 whitepaper), as float16 does; bfloat16
    7. PyTorch's ``torch.backends.cudnn.allow_tf32`` and TensorFlow's
    ``enable_tensor_float_32_execution`` are on by default; JAX's default matmul precision uses TF32
    on GPUs and bfloat16 on TPUs.
    """
    for name, bits in FORMATS.items():
        parameters = {path: narrowed(array, bits) for path, array in case.parameters.items()}
        other = replace(case, parameters=parameters)
        if not np.issubdtype(case.several[0].dtype, np.integer):
            other = other.given(partial(narrowed, bits=bits))
        yield Mistake("precision", f"operands in {name}", other)


def narrowed(values: NDArray[Any], bits: int) -> NDArray[np.float64]:
    """To so many significant bits, half to even; exponents stay as they are."""
    fractions, exponents = np.frexp(values)
    kept: NDArray[np.float64] = np.ldexp(np.round(np.ldexp(fractions, bits)), exponents - bits)
    return kept
