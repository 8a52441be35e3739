"""What correct arithmetic of a precision makes: kinks, the null ensemble, trajectories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.formats import Operand, to_tf32
from backends.numpy import Backend
from suite.parity.compare import errors
from suite.parity.confusions import precisions
from suite.parity.ensemble import UNITS, Null, moved
from suite.parity.findings import Findings, read
from suite.parity.kinks import sources, without_flips
from suite.parity.trajectory import checkpoints, distances, moving, null_course
from tasks import cnn, rnn, spec, transformer
from tasks.base import probe_batch
from tasks.parameters import probe
from tests.unit.reference_cases import CASES, lower, own_parameters, smooth, task_of

TASKS = [cnn.tiny(), rnn.tiny(), transformer.tiny()]
PARTS = ("activations", "loss", "gradients", "buffers")


def findings(task, precision) -> Findings:
    start = {path: a.astype(np.float32) for path, a in probe(task.model, 0).items()}
    program = Backend(precision=precision).build(task, start)
    batch = probe_batch(task, task.batch_size, 0)
    if batch.inputs.dtype == np.float64:
        batch = replace(batch, inputs=batch.inputs.astype(np.float32))
    found = program.capture(program.put(batch))
    capture = {f"activations/{path}": array for path, array in found.activations.items()}
    capture |= {f"gradients/{path}": array for path, array in found.gradients.items()}
    return Findings(loss=found.loss, capture=capture, scales=dict(found.scales), file="")


@pytest.mark.parametrize(("layer", "shape", "valid"), CASES)
def test_a_layer_in_float32_stays_in_float32(layer, shape, valid):
    x = smooth(layer, (6, *shape)).astype(np.float32)
    parameters = {name: a.astype(np.float32) for name, a in own_parameters(layer).items()}
    y, vjp = lower(layer, parameters, x, valid)
    dx, gradients = vjp(np.ones_like(y))
    kinds = {y.dtype, dx.dtype, *(gradient.value.dtype for gradient in gradients.values())}
    if not isinstance(layer, spec.BatchNorm):  # the buffers of this case are float64
        assert kinds == {np.dtype(np.float32)}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize(
    ("precision", "most"), [("float32", 1e-4), ("tf32", 0.03), ("bfloat16", 0.1)]
)
def test_a_precision_strays_by_its_rounding(task, precision, most):
    found = errors(findings(task, precision), findings(task, "float64"), PARTS)
    assert 0 < max(found.values()) < most
    assert np.median(list(found.values())) > UNITS[precision] / 10


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_values_between_layers_are_bfloat16s(task):
    """Their lower 16 bits are 0, and those of what stays float32 are not."""
    found = findings(task, "bfloat16").capture
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


def test_every_value_moves_to_a_neighbour(tmp_path):
    file = str(tmp_path / "start.npz")
    array = np.linspace(-1, 1, 1001).astype(np.float32).astype(np.float64)
    np.savez(file, array=array)
    first, second = (read(moved(file, member, "float32"))["array"] for member in range(2))
    for each in (first, second):
        steps = np.abs(each.astype(np.float32) - array.astype(np.float32))
        assert (
            steps == np.abs(np.spacing(np.maximum(np.abs(array), np.abs(each)), dtype=np.float32))
        ).mean() > 0.99
        assert np.array_equal(each, each.astype(np.float32))
    assert 0.3 < (first == second).mean() < 0.7
    for member in range(2):  # half a unit of bfloat16, which rounds up or down
        other = read(moved(file, member, "bfloat16"))["array"]
        assert np.abs(other - array) == pytest.approx(np.abs(array) * 2.0**-9)
        other = read(moved(file, member, "tf32"))["array"]
        assert np.abs(other - array) == pytest.approx(np.abs(array) * 2.0**-11)


def test_an_error_is_told_in_units_of_the_worst_member():
    null = Null(2e-7)
    null.add({"a": 1e-6, "b": 0.0})
    null.add({"a": 3e-6})
    ratios = null.ratios({"a": 6e-6, "b": 2e-7, "c": 1.0})
    assert ratios == pytest.approx({"a": 2.0, "b": 1.0})


def test_what_a_layer_is_given_is_known_through_residuals():
    model = transformer.tiny().model
    found = sources(model)
    assert found["embedding"] == ""
    assert found["blocks.0.norm1"] == "blocks.0.sum1"
    assert set(found.values()) - {""} <= {place.path for place in model.places()}


@pytest.mark.parametrize("flips", [[], ["relu"], ["pool"], ["relu", "pool"]])
def test_gradients_that_a_flip_reaches_are_not_judged(flips):
    model = spec.ModelSpec(
        name="m",
        input=spec.Input(shape=(1, 4, 4)),
        layers=(
            ("conv", spec.Conv2d(in_channels=1, out_channels=1, kernel_size=1)),
            ("relu", spec.ReLU()),
            ("narrow", spec.Conv2d(in_channels=1, out_channels=1, kernel_size=1)),
            ("pool", spec.MaxPool(size=2, stride=2)),
            ("flatten", spec.Flatten()),
            ("fc", spec.Linear(in_features=4, out_features=2)),
        ),
    )
    values = np.arange(16.0).reshape(1, 1, 4, 4) - 8.5
    wanted = {"activations/conv": values, "activations/narrow": values}
    found = dict(wanted)
    if "relu" in flips:
        found["activations/conv"] = values + np.where(values == -0.5, 1, 0)
    if "pool" in flips:
        found["activations/narrow"] = values + np.where(values == 1.5, 5.5, 0)
    keys = [f"gradients/{path}.weight" for path in ("conv", "narrow", "fc")]
    every = dict.fromkeys(["activations/conv", *keys], 0.5)
    parts = {"loss": 0.0, "scales": {}, "file": ""}
    left, flip = without_flips(
        every, model, Findings(capture=found, **parts), Findings(capture=wanted, **parts)
    )
    assert flip == (flips[-1] if flips else None)
    reached = {None: 0, "relu": 1, "pool": 2}[flip]
    assert list(left) == ["activations/conv", *keys[reached:]]


def test_what_only_rounding_moves_is_left_out():
    conv = spec.Conv2d(in_channels=1, out_channels=2, kernel_size=3, padding=1)
    norm = spec.BatchNorm(channels=2, epsilon=1e-5, momentum=0.1)
    layers = (("conv", conv), ("norm", norm), ("flatten", spec.Flatten()))
    task = task_of(layers, spec.Input(shape=(1, 3, 3)))
    assert moving(task, findings(task, "float64")) == ["conv.weight", "norm.weight", "norm.bias"]


def test_the_distance_is_relative_to_what_training_did():
    start, right = {"a": np.zeros(2), "b": np.ones(1)}, {"a": np.array([3.0, 4.0]), "b": np.ones(1)}
    mine = {"a": np.array([3.0, 4.5]), "b": np.full(1, 9.0)}
    assert distances([mine, {}], [right, right], start, ["a"]) == [pytest.approx(0.1), np.inf]
    members = [[right, mine], [right, right], [right, right]]
    course = null_course(members, [right, right], start, ["a"], [1, 2])
    assert course.distances == [0.0, pytest.approx(0.1)]
    assert course.horizon == 2


def test_small_models_are_trained_further():
    assert checkpoints(cnn.tiny())[-1] == 50
    assert checkpoints(cnn.small())[-1] == 5


@given(st.floats(-1e30, 1e30, allow_subnormal=False), st.integers(2, 24))
def test_rounding_keeps_so_many_bits(value, bits):
    array = np.array([value])
    kept = precisions.rounded(array, bits)
    assert np.abs(kept - array) <= np.abs(array) * 2.0**-bits
    assert np.array_equal(precisions.rounded(kept, bits), kept)
