"""Checks of single layers."""

from __future__ import annotations

import numpy as np

from suite.conformance.cases import CASES, SAMPLES, Case
from suite.conformance.checks import Errors, check, compare
from suite.subject import Arrays, Subject, rounded
from tasks import spec
from tasks.parameters import uniform


@check("layer", {case.name: case for case in CASES})
def layer_alone(adapter: Subject, reference: Subject, case: Case) -> Errors:
    """Output, input gradients and parameter gradients are the reference's."""
    return compare(_alone(adapter, case), _alone(reference, case))


@check("ties", {case.name: case for case in CASES if isinstance(case.layer, spec.MaxPool)})
def ties_go_to_the_first_index(adapter: Subject, reference: Subject, case: Case) -> Errors:
    """Where all values of a window are equal, the gradient goes to its first one."""
    assert isinstance(case.layer, spec.MaxPool)
    step = case.layer.stride
    _, height, width = case.layer.output_shape(case.shape)
    wanted = np.zeros((SAMPLES, *case.shape))
    wanted[:, :, : height * step : step, : width * step : step] = 1
    return compare(_at_zero(adapter, case), {"input_gradients": wanted})


@check("kinks", {case.name: case for case in CASES if isinstance(case.layer, spec.ReLU)})
def slope_at_the_kink_is_0(adapter: Subject, reference: Subject, case: Case) -> Errors:
    """At 0 exactly."""
    return compare(_at_zero(adapter, case), {"input_gradients": np.zeros((SAMPLES, *case.shape))})


def _alone(subject: Subject, case: Case) -> Arrays:
    program, (place,) = subject.build(case.task), case.task.model.places()
    inputs = uniform(0, "inputs", (SAMPLES, *case.shape))
    if case.vocabulary is None:
        inputs = rounded(inputs)
    else:
        inputs = ((inputs + 1) / 2 * case.vocabulary).astype(np.int32)
    upstream = rounded(uniform(0, "upstream", (SAMPLES, *place.output_shape)))
    return program.layer(place.path, inputs, upstream, case.valid)


def _at_zero(subject: Subject, case: Case) -> Arrays:
    program, (place,) = subject.build(case.task), case.task.model.places()
    inputs = np.zeros((SAMPLES, *case.shape))
    return program.layer(place.path, inputs, np.ones((SAMPLES, *place.output_shape)))
