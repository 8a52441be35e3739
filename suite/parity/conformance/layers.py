"""Checks of single layers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backends.formats import to_bfloat16
from suite.engine.remote import Arrays, RemoteBackend, rounded
from suite.parity.conformance.cases import CASES, SAMPLES, Case
from suite.parity.conformance.checks import ROUNDED, THRESHOLDS, Errors, check, compare
from tasks import spec
from tasks.parameters import uniform

OFFSET = 64.0  # where bfloat16's values are 0.25 and 0.5 apart

# Far from 0 gates and softmax saturate, and what is left of their gradients is rounding.
UNSATURATED = {
    case.name: case
    for case in CASES
    if case.vocabulary is None and not isinstance(case.layer, spec.Attention | spec.Recurrent)
}


def may_average(case: Case, precision: str) -> str | None:
    """What a new layer's spec may lack."""
    if precision != ROUNDED or case.layer.averages:
        return None
    return (
        f"if {type(case.layer).__name__} takes a mean or a variance, its spec must have averages = "
        "True, so that it is computed in float32"
    )


@check("layer", {case.name: case for case in CASES}, tuple(THRESHOLDS), may_average)
def layer_alone(adapter: RemoteBackend, reference: RemoteBackend, case: Case) -> Errors:
    """Output, input gradients and parameter gradients are the reference's."""
    return compare(_alone(adapter, case), _alone(reference, case))


@check("offset", UNSATURATED, (ROUNDED,), may_average)
def far_from_0(adapter: RemoteBackend, reference: RemoteBackend, case: Case) -> Errors:
    """The same on inputs far from 0, whose mean bfloat16 cannot tell from its neighbours."""
    return compare(_alone(adapter, case, OFFSET), _alone(reference, case, OFFSET))


@check("ties", {case.name: case for case in CASES if isinstance(case.layer, spec.MaxPool)})
def ties_go_to_the_first_index(
    adapter: RemoteBackend, reference: RemoteBackend, case: Case
) -> Errors:
    """Where all values of a window are equal, the gradient goes to its first one."""
    assert isinstance(case.layer, spec.MaxPool)
    step = case.layer.stride
    _, height, width = case.layer.output_shape(case.shape)
    wanted = np.zeros((SAMPLES, *case.shape))
    wanted[:, :, : height * step : step, : width * step : step] = 1
    return compare(_at_zero(adapter, case), {"input_gradients": wanted})


@check("kinks", {case.name: case for case in CASES if isinstance(case.layer, spec.ReLU)})
def slope_at_the_kink_is_0(adapter: RemoteBackend, reference: RemoteBackend, case: Case) -> Errors:
    """At 0 exactly."""
    return compare(_at_zero(adapter, case), {"input_gradients": np.zeros((SAMPLES, *case.shape))})


def _alone(backend: RemoteBackend, case: Case, offset: float = 0.0) -> Arrays:
    program, (place,) = backend.build(case.task), case.task.model.places()
    inputs = uniform(0, "inputs", (SAMPLES, *case.shape))
    if case.vocabulary is None:
        inputs = _given(backend, inputs + offset)
    else:
        inputs = ((inputs + 1) / 2 * case.vocabulary).astype(np.int32)
    upstream = _given(backend, uniform(0, "upstream", (SAMPLES, *place.output_shape)))
    return program.layer(place.path, inputs, upstream, case.valid)


def _given(backend: RemoteBackend, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values that the precision has, as other layers give them."""
    if backend.configuration.precision == ROUNDED:
        return to_bfloat16(values).astype(np.float64)
    return rounded(values)


def _at_zero(backend: RemoteBackend, case: Case) -> Arrays:
    program, (place,) = backend.build(case.task), case.task.model.places()
    inputs = np.zeros((SAMPLES, *case.shape))
    return program.layer(place.path, inputs, np.ones((SAMPLES, *place.output_shape)))
