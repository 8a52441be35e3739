"""Layers alone, in the cases where adapters go wrong, and the checks of them. A case has a name, a
layer, the shape of one sample's input, and which steps are valid.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.formats import to_bfloat16
from suite.engine.arrays import Arrays
from suite.engine.remote import RemoteBackend
from suite.parity.conformance.checks import ROUNDED, THRESHOLDS, Check, Errors
from suite.parity.layer_checks import Case, alone, compare, random_case
from tasks import spec

SAMPLES, STEPS = 4, 6

RAGGED = np.arange(STEPS) < np.array([[6], [4], [1], [3]])
LEFT = RAGGED[:, ::-1]
HOLES = np.array(
    [[1, 0, 1, 1, 0, 1], [0, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 1, 0, 0, 1]], dtype=bool
)
NONE = np.where(np.arange(SAMPLES)[:, None] == 2, False, RAGGED)  # one row has no valid step
PADDINGS = {"full": None, "ragged": RAGGED, "left": LEFT, "holes": HOLES, "none": NONE}

LSTM = spec.LSTM(input_size=5, hidden_size=4, num_layers=2)
GRU = spec.GRU(input_size=5, hidden_size=4, num_layers=2)
VALID_NORM = spec.BatchNorm(channels=5, epsilon=1e-2, momentum=0.3, over="valid")
MEMORY = ((4, 8), (STEPS, 8))  # attention's, of steps that see and steps that are seen
SHARED = spec.Attention(width=16, heads=4, key_value_heads=2)
HALVES, PAIRS = (spec.Rotary(width=4, base=100.0, layout=layout) for layout in ("halves", "pairs"))

CONVOLUTIONS: dict[str, dict[str, Any]] = {
    "1x3": {"out_channels": 3, "kernel_size": (1, 3), "padding": (0, 1)},
    "3x1-s21": {"out_channels": 3, "kernel_size": (3, 1), "padding": (1, 0), "stride": (2, 1)},
    "groups": {"out_channels": 6, "kernel_size": 3, "padding": 1, "groups": 2},
    "groups-2x3": {"out_channels": 2, "kernel_size": (2, 3), "stride": (1, 2), "groups": 2},
    "depthwise": {"out_channels": 4, "kernel_size": 3, "padding": 1, "groups": 4, "bias": False},
    "depthwise-s2": {"out_channels": 8, "kernel_size": 3, "stride": 2, "groups": 4},
    "depthwise-s12": {"out_channels": 8, "kernel_size": 3, "stride": (1, 2), "groups": 4},
}

STRIDES: dict[str, dict[str, Any]] = {
    "k1": {"out_features": 3, "kernel_size": 1, "bias": False},
    "k2-s2": {"out_features": 3, "kernel_size": 2, "stride": 2},
    "k3-s2-p1": {"out_features": 3, "kernel_size": 3, "stride": 2, "padding": 1},
    "k4-s3-p1": {"out_features": 6, "kernel_size": 4, "stride": 3, "padding": 1, "groups": 2},
    "depthwise": {"out_features": 4, "kernel_size": 5, "padding": 2, "groups": 4},
}

given = partial(random_case, SAMPLES)


def _padded(name: str, layer: spec.Layer) -> list[Case]:
    return [given(f"{name}-{p}", layer, (STEPS, 5), valid) for p, valid in PADDINGS.items()]


CASES = [
    *(
        given(
            f"conv-{size}-k{kernel}-s{stride}-p{padding}{'' if bias else '-nobias'}",
            spec.Conv2d(
                in_channels=3,
                out_channels=5,
                kernel_size=kernel,
                stride=stride,
                padding=padding,
                bias=bias,
            ),
            (3, size, size + 1),
        )
        for size, kernel, stride, padding, bias in (
            *product((7, 8), (3,), (1, 2), (0, 1), (True,)),
            (8, 1, 1, 0, False),
        )
    ),
    *(
        given(f"conv-{name}", spec.Conv2d(in_channels=4, **fields), (4, 7, 8))
        for name, fields in CONVOLUTIONS.items()
    ),
    *(
        given(
            f"pool-{size}-{window}-{stride}",
            spec.MaxPool(size=window, stride=stride),
            (3, size, size + 1),
        )
        for size, window, stride in ((7, 2, 2), (8, 2, 2), (8, 3, 2), (7, 3, 1))
    ),
    *(
        given(
            f"pool-{size}-{window}-{stride}-p1",
            spec.MaxPool(size=window, stride=stride, padding=1),
            (3, size, size + 1),
        )
        for size, window, stride in ((7, 3, 2), (8, 3, 1), (8, 2, 2))
    ),
    *(
        given(
            f"mean-pool-{size}-{window}-{stride}",
            spec.AvgPool(size=window, stride=stride),
            (3, size, size + 1),
        )
        for size, window, stride in ((8, 2, 2), (7, 3, 1), (8, 8, 8))
    ),
    *(
        given(
            f"mean-pool-{size}-{window}-{stride}-p1-{'counted' if counted else 'uncounted'}",
            spec.AvgPool(size=window, stride=stride, padding=1, count_padding=counted),
            (3, size, size + 1),
        )
        for size, window, stride in ((7, 3, 1), (8, 3, 2), (7, 2, 2))
        for counted in (True, False)
    ),
    given("batch-norm", spec.BatchNorm(channels=3, epsilon=1e-2, momentum=0.3), (3, 4, 5)),
    given(
        "batch-norm-unscaled",
        spec.BatchNorm(channels=3, epsilon=1e-2, momentum=0.3, scale=False),
        (3, 4, 5),
    ),
    *_padded("batch-norm-valid", VALID_NORM),
    given("batch-norm-valid-unscaled", replace(VALID_NORM, scale=False), (STEPS, 5), HOLES),
    given("group-norm", spec.GroupNorm(channels=4, groups=2, epsilon=1e-2), (4, 3, 5)),
    given("group-norm-1", spec.GroupNorm(channels=3, groups=1, epsilon=1e-2), (3, 4, 5)),
    given("group-norm-each", spec.GroupNorm(channels=3, groups=3, epsilon=1e-2), (3, 4, 5)),
    given("relu", spec.ReLU(), (3, 4, 5)),
    given("silu", spec.SiLU(), (3, 4, 5)),
    given("sigmoid", spec.Sigmoid(), (STEPS, 7)),
    given("tanh", spec.Tanh(), (STEPS, 7)),
    given("gelu", spec.GELU(), (3, 4, 5)),
    given("dropout-0", spec.Dropout(rate=0.0), (3, 4, 5)),
    given("gelu-approximate", spec.GELU(approximate=True), (STEPS, 7)),
    given("flatten", spec.Flatten(), (3, 4, 5)),
    given("mean-places", spec.MeanPlaces(), (3, 4, 5)),
    given("mean-places-1", spec.MeanPlaces(), (3, 1, 1)),
    given("places-to-steps", spec.PlacesToSteps(), (3, 4, 5)),
    *(
        given(f"conv-steps-{name}", spec.Conv1d(in_features=4, **fields), (STEPS + 1, 4))
        for name, fields in STRIDES.items()
    ),
    *_padded("conv-steps", spec.Conv1d(in_features=5, out_features=3, kernel_size=3, padding=1)),
    given("class-token", spec.ClassToken(width=5), (STEPS, 5)),
    given("first", spec.FirstStep(), (STEPS, 5)),
    given("first-left", spec.FirstStep(), (STEPS, 5), LEFT),
    given("linear", spec.Linear(in_features=7, out_features=3), (7,)),
    given("linear-steps", spec.Linear(in_features=7, out_features=3, bias=False), (STEPS, 7)),
    given("embedding", spec.Embedding(vocabulary=9, width=4), (STEPS,), vocabulary=9),
    given(
        "embedding-scale",
        spec.Embedding(vocabulary=9, width=4, scale=22.6),
        (STEPS,),
        vocabulary=9,
    ),
    given("position-halves", spec.PositionalEncoding(width=6, layout="halves"), (STEPS, 6)),
    given("position", spec.PositionalEncoding(width=6), (STEPS, 6)),
    given("position-embedding", spec.PositionalEmbedding(steps=STEPS, width=5), (STEPS, 5)),
    given(
        "position-embedding-offset",
        spec.PositionalEmbedding(steps=STEPS, width=5, offset=2, rows=9),
        (STEPS, 5),
    ),
    *_padded(
        "position-embedding",
        spec.PositionalEmbedding(steps=STEPS, width=5, offset=2, count="valid"),
    ),
    given("norm", spec.LayerNorm(width=8, epsilon=1e-2), (STEPS, 8)),
    given("rms-norm", spec.RMSNorm(width=8, epsilon=1e-2), (STEPS, 8)),
    *(
        given(
            f"attention-{padding}{'-causal' if causal else ''}",
            spec.Attention(width=8, heads=2, causal=causal),
            (STEPS, 8),
            valid,
        )
        for causal in (False, True)  # what has one program follows each other
        for padding, valid in PADDINGS.items()
    ),
    *(
        given(f"attention-memory-{p}", spec.Attention(width=8, heads=2), MEMORY, (RAGGED[:, 2:], m))
        for p, m in PADDINGS.items()
    ),
    given("attention-memory-causal", spec.Attention(width=8, heads=2, causal=True), MEMORY),
    *(given(f"attention-shared-{p}", SHARED, (STEPS, 16), m) for p, m in PADDINGS.items()),
    *(
        given(f"attention-{name}", layer, (STEPS, layer.width), HOLES)
        for name, layer in {
            "shared-causal": replace(SHARED, causal=True),
            "no-biases": spec.Attention(width=8, heads=2, biases=False),
            "halves": spec.Attention(width=8, heads=2, rotary=HALVES, key_bias=True),
            "pairs": replace(SHARED, rotary=PAIRS),
        }.items()
    ),
    given("rotary-halves", HALVES, (STEPS, 4)),
    given("rotary-pairs", PAIRS, (STEPS, 4)),
    *_padded("lstm", LSTM),
    *_padded("gru", GRU),
    *_padded("lstm-both", replace(LSTM, bidirectional=True)),
    *_padded("gru-both", replace(GRU, bidirectional=True)),
    given("lstm-both-long", replace(LSTM, bidirectional=True), (20, 5)),
    given("gru-both-long", replace(GRU, bidirectional=True), (20, 5)),
    # Longer than what adapters unroll.
    given("lstm-long", LSTM, (20, 5)),
    given("gru-long", GRU, (20, 5)),
    *_padded("last", spec.LastStep()),
    *_padded("mean", spec.MeanSteps()),
    *(
        given(f"add-{what}-{number}", spec.Add(), (shape,) * number)
        for what, shape in {"images": (3, 4, 5), "steps": (STEPS, 7)}.items()
        for number in (2, 3)
    ),
    given("multiply-images", spec.Multiply(), ((3, 4, 5),) * 2),
    given("multiply-steps", spec.Multiply(), ((STEPS, 7),) * 2),
    given("concat-channels-2", spec.Concat(), ((3, 4, 5), (2, 4, 5))),
    given("concat-channels-3", spec.Concat(), ((2, 4, 5), (1, 4, 5), (3, 4, 5))),
    given("concat-rows", spec.Concat(axis=1), ((3, 4, 5), (3, 2, 5))),
    given("concat-columns", spec.Concat(axis=-1), ((3, 4, 5), (3, 4, 1))),
    given("concat-features", spec.Concat(), ((STEPS, 3), (STEPS, 4), (STEPS, 1))),
    given("concat-vectors", spec.Concat(), ((3,), (5,))),
]

OFFSET = 64.0  # where bfloat16's values are 0.25 and 0.5 apart

# Far from 0 gates and softmax saturate, and what is left of their gradients is rounding.
SATURATED = (spec.Embedding, spec.Attention, spec.Recurrent)


def _of(*layers: type[spec.Layer]) -> dict[str, Case]:
    return {case.name: case for case in CASES if isinstance(case.layer, layers)}


def may_average(case: Case, precision: str) -> str | None:
    """What a new layer's spec may lack."""
    if precision != ROUNDED or case.layer.averages:
        return None
    return (
        f"if {type(case.layer).__name__} takes a mean or a variance, its spec must have averages = "
        "True, so that it is computed in float32"
    )


def may_cancel(case: Case, precision: str) -> str | None:
    """The same, and what may go wrong far from 0 alone."""
    if (averages := may_average(case, precision)) is None:
        return None
    return (
        f"{averages}; where it takes none, sums of large values may cancel in it: it is to form "
        "differences of its inputs first"
    )


UNSATURATED = {n: case for n, case in _of(spec.Layer).items() if n not in _of(*SATURATED)}


def layer_alone(backend: RemoteBackend, case: Case) -> Arrays:
    """Output, input gradients and parameter gradients are the reference's, on values that the
    precision has, as other layers give them.
    """
    if backend.configuration.precision == ROUNDED:
        case = replace(case.given(_kept), upstream=_kept(case.upstream))
    return alone(backend, case)


Check("layer", _of(spec.Layer), tuple(THRESHOLDS), may_average, same=True)(layer_alone)


@Check("offset", UNSATURATED, (ROUNDED,), may_cancel, same=True)
def far_from_0(backend: RemoteBackend, case: Case) -> Arrays:
    """The same on inputs far from 0, whose mean bfloat16 cannot tell from its neighbours."""
    return layer_alone(backend, case.given(lambda values: values + OFFSET))


def _kept(values: NDArray[Any]) -> NDArray[Any]:
    return to_bfloat16(values).astype(values.dtype)


@Check("ties", _of(spec.MaxPool))
def ties_go_to_the_first_index(backend: RemoteBackend, case: Case) -> Errors:
    """Where all values of a window are equal, the gradient goes to its first one."""
    assert isinstance(case.layer, spec.MaxPool)
    wanted = np.zeros_like(case.several[0])
    rows, columns = (
        np.maximum(np.arange(n) * case.layer.stride - case.layer.padding, 0)
        for n in case.upstream.shape[2:]
    )
    for row, column in product(rows, columns):
        wanted[:, :, row, column] += 1
    return _at_zero(backend, case, wanted)


@Check("kinks", _of(spec.ReLU))
def slope_at_the_kink_is_0(backend: RemoteBackend, case: Case) -> Errors:
    """At 0 exactly."""
    return _at_zero(backend, case, np.zeros_like(case.several[0]))


def _at_zero(backend: RemoteBackend, case: Case, wanted: NDArray[Any]) -> Errors:
    zero = replace(case.given(np.zeros_like), upstream=np.ones_like(case.upstream))
    return compare(alone(backend, zero), {"input_gradients": wanted})
