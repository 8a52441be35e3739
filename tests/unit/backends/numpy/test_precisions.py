"""The reference in float32, TF32 and bfloat16: what is rounded, and what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backends.formats import Operand, to_tf32
from backends.numpy import Backend
from tasks import spec
from tests.fixtures.findings import TASKS, findings
from tests.fixtures.reference_cases import CASES, context_of, lower, own_parameters, smooth


@pytest.mark.parametrize(("layer", "shape", "valid"), CASES)
def test_a_layer_in_float32_stays_in_float32(layer, shape, valid):
    x = smooth(layer, (6, *shape)).astype(np.float32)
    parameters = {name: a.astype(np.float32) for name, a in own_parameters(layer).items()}
    context = context_of(layer, valid)
    buffers = {name: b.astype(np.float32) for name, b in context.buffers.items()}
    context = replace(context, buffers=buffers)
    y, vjp = lower(layer, parameters, x, valid, context=context)
    dx, gradients = vjp(np.ones_like(y))
    kinds = {y.dtype, dx.dtype, *(gradient.value.dtype for gradient in gradients.values())}
    kinds |= {buffer.dtype for buffer in context.new_buffers.values()}
    assert kinds == {np.dtype(np.float32)}
    assert context.new_buffers.keys() == buffers.keys()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_values_between_layers_are_bfloat16s(task):
    """Their lower 16 bits are 0, and those of what stays float32 are not."""
    found = findings(task, "bfloat16").capture
    assert {name.partition("/")[0] for name in found} == {"activations", "gradients"}
    for name, array in found.items():
        low = array.astype(np.float32).view(np.uint32) & 0xFFFF
        averaged = any(part in name for part in ("norm", "mean"))
        if name.startswith("activations/") or not averaged:
            assert not low.any(), name
        else:
            assert low.any(), name


def test_rounding_to_bfloat16_is_to_nearest_and_to_even():
    ulp = 2.0**-7  # of the numbers from 1 to 2
    given = np.array([1, 1 + ulp / 2, 1 + 3 * ulp / 2, 1 + 0.51 * ulp, -1 - 0.49 * ulp, 0])
    wanted = np.array([1, 1, 1 + 2 * ulp, 1 + ulp, -1, 0])
    cast = Backend(precision="bfloat16").cast
    assert cast(given.astype(np.float32), "bfloat16") == pytest.approx(wanted, rel=1e-4)
    tokens = np.arange(3)
    assert cast(tokens, "bfloat16") is tokens


def test_products_of_tf32_round_their_operands_and_nothing_else():
    ulp = 2.0**-10  # of TF32's numbers from 1 to 2
    given = np.array([[1, 1 + ulp / 2, 1 + 3 * ulp / 2, 1 + 0.51 * ulp]], np.float32)
    wanted = np.array([[1, 1, 1 + 2 * ulp, 1 + ulp]], np.float32)
    operand, one = given.view(Operand), np.eye(4, dtype=np.float32)
    for product in (operand @ one, one @ operand.T, np.einsum("rf,fg->rg", operand, one)):
        assert isinstance(product, Operand)
        assert np.array_equal(np.asarray(product).reshape(1, 4), wanted)
    for sum_ in (operand + 0, np.einsum("rf->rf", operand), np.exp(np.log(operand))):
        assert np.asarray(sum_) == pytest.approx(given, abs=2e-7)
    assert np.array_equal(to_tf32(to_tf32(given)), to_tf32(given))
    assert np.array_equal(to_tf32(-given), -to_tf32(given))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_values_between_layers_of_tf32_are_float32s(task):
    found = findings(task, "tf32").capture
    assert {array.dtype for array in found.values()} == {np.dtype(np.float64)}
    assert not any(isinstance(array, Operand) for array in found.values())
    for name, array in found.items():
        low = array.astype(np.float32).view(np.uint32) & 0x1FFF
        assert low.any() or not array.any(), name


@pytest.mark.parametrize("layout", ["halves", "pairs"])
def test_what_rotary_turns_is_still_rounded_where_it_is_multiplied(layout):
    layer = spec.Rotary(width=4, layout=layout)
    x = np.ones((2, 3, 4), np.float32)
    y, vjp = Backend(precision="tf32").lowering(layer)(layer, {}, x.view(Operand), None)
    assert isinstance(y, Operand)
    assert isinstance(vjp(x.view(Operand))[0], Operand)
    assert not isinstance(lower(layer, {}, x)[0], Operand)
