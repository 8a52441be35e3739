"""Every layer of every adapter alone, against the reference, in its real worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from suite.crew import Crew, Roster
from suite.plan import Lane
from suite.worker.discovery import Arm
from tasks.base import Batch, Task
from tasks.codec import encode
from tasks.parameters import probe, uniform
from tests.conformance.cases import CASES, SAMPLES, Case, padded_batch, padded_task
from tests.conftest import lane

PROGRAMS = [
    ("torch", "eager"),
    ("torch", "compiled"),
    ("jax", "compiled"),
    ("tensorflow", "compiled"),
    ("tensorflow", "eager"),
]
PRECISIONS = {"float64": 1e-9, "float32": 1e-5}


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory):
    with Crew(Roster(), tmp_path_factory.mktemp("logs"), "conformance") as found:
        yield found


def write(path: Path, arrays: dict) -> str:
    np.savez(path, **{name: a for name, a in arrays.items() if a is not None})
    return str(path)


def rounded(array):
    return array.astype(np.float32).astype(np.float64)


def build(crew: Crew, where: Lane, task: Task, folder: Path) -> None:
    parameters = {path: rounded(array) for path, array in probe(task.model, 0).items()}
    file = write(folder / f"{task.name}-parameters.npz", parameters)
    crew.member(where).worker.call("build", task=encode(task), parameters=file)


def run_layer(crew: Crew, where: Lane, case: Case, folder: Path) -> dict:
    task = case.task
    build(crew, where, task, folder)
    place = task.model.places()[0]
    inputs = uniform(0, "inputs", (SAMPLES, *case.shape))
    ids = None if case.vocabulary is None else ((inputs + 1) / 2 * case.vocabulary).astype(np.int32)
    given = {
        "inputs": rounded(inputs) if ids is None else ids,
        "upstream": rounded(uniform(0, "upstream", (SAMPLES, *place.output_shape))),
        "valid": case.valid,
    }
    file = write(folder / f"{case.name}-given.npz", given)
    out = folder / f"{case.name}-{where.arm.name}.npz"
    crew.member(where).worker.call(
        "layer", task=task.name, place="layer", given=file, path=str(out)
    )
    with np.load(out) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def expected(crew: Crew, real_arms: dict[str, Arm], tmp_path_factory: pytest.TempPathFactory):
    reference = lane_of_reference(real_arms)
    folder = tmp_path_factory.mktemp("reference")
    return {case.name: run_layer(crew, reference, case, folder) for case in CASES}


def lane_of_reference(real_arms: dict[str, Arm]) -> Lane:
    return Lane(arm=real_arms["numpy"], execution="eager", precision="float64", device="cpu")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_layers_alone(backend, precision, crew, real_arms, expected, tmp_path):
    execution = real_arms[backend].adapter.executions[0]
    where = lane(real_arms, backend, execution, precision)
    wrong = []
    for case in CASES:
        found = run_layer(crew, where, case, tmp_path)
        assert found.keys() == expected[case.name].keys(), case.name
        for name, wanted in expected[case.name].items():
            assert found[name].shape == wanted.shape, (case.name, name)
            error = np.linalg.norm(found[name] - wanted) / max(np.linalg.norm(wanted), 1e-3)
            if not error <= PRECISIONS[precision]:
                wrong.append(f"{case.name} {name}: {error:.1e}")
    assert not wrong


@pytest.mark.parametrize("name", ["relu", "pool"])
@pytest.mark.parametrize("backend", ["numpy", "torch", "jax", "tensorflow"])
def test_ties_and_kinks_follow_the_rule(backend, name, crew, real_arms, tmp_path):
    """ReLU's slope at 0 is 0; a tied window gives its gradient to the first index."""
    execution = real_arms[backend].adapter.executions[0]
    where = lane_of_reference(real_arms)
    if backend != "numpy":
        where = lane(real_arms, backend, execution, "float64")
    case = next(c for c in CASES if c.name == ("relu" if name == "relu" else "pool-8-2-2"))
    build(crew, where, case.task, tmp_path)
    shape = case.task.model.places()[0].output_shape
    given = {"inputs": np.zeros((2, *case.shape)), "upstream": np.ones((2, *shape))}
    out = tmp_path / "out.npz"
    crew.member(where).worker.call(
        "layer",
        task=case.task.name,
        place="layer",
        given=write(tmp_path / "given.npz", given),
        path=str(out),
    )
    with np.load(out) as arrays:
        gradient = arrays["input_gradients"]
    wanted = np.zeros_like(gradient)
    if name == "pool":
        wanted[:, :, ::2, 0:8:2] = 1
    assert np.array_equal(gradient, wanted)


@pytest.mark.parametrize(("backend", "execution"), PROGRAMS)
@pytest.mark.parametrize("causal", [False, True])
def test_padded_batches_through_whole_programs(
    backend, execution, causal, crew, real_arms, tmp_path
):
    """Logits, gradients and the parameters after ten steps of clipped, warmed-up AdamW."""
    task, batch = padded_task(causal), padded_batch()
    where = lane(real_arms, backend, execution, "float64")
    wanted = examine(crew, lane_of_reference(real_arms), task, batch, tmp_path)
    found = examine(crew, where, task, batch, tmp_path)
    assert wanted.keys() <= found.keys()
    for name, array in wanted.items():
        error = np.linalg.norm(found[name] - array) / max(np.linalg.norm(array), 1e-3)
        assert error <= 1e-9, (name, error)


def examine(crew: Crew, where: Lane, task: Task, batch: Batch, folder: Path) -> dict:
    build(crew, where, task, folder)
    worker, start = crew.member(where).worker, folder / f"{where.arm.name}-{task.name}"
    parts = {"inputs": batch.inputs, "targets": batch.targets, "valid": batch.valid}
    data = {f"{split}.{k}": a for split in ("train", "probe") for k, a in parts.items()}
    order = np.tile(np.arange(len(batch)), (10, 1))
    worker.call("load", task=task.name, path=write(f"{start}-data.npz", data | {"order": order}))
    worker.call("capture", task=task.name, split="probe", path=f"{start}-capture.npz")
    worker.call("train", task=task.name, first=0, last=10)
    worker.call("parameters", task=task.name, path=f"{start}-trained.npz")
    with np.load(f"{start}-capture.npz") as inner, np.load(f"{start}-trained.npz") as trained:
        return dict(inner) | {f"trained/{path}": trained[path] for path in trained.files}
