"""Checkpoints through the real command line, the real frameworks and their own formats."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from backends.base import State
from backends.numpy import Backend
from suite.engine.arrays import Arrays
from suite.weights.checkpoint import look, table
from suite.weights.contents import Contents
from suite.weights.formats import format_of
from suite.weights.npz import read
from suite.worker.client import Client
from suite.worker.process import Worker, WorkerError
from tasks import codec
from tasks.base import Batch
from tasks.models.catalogue import MODELS
from tasks.models.names import to_theirs
from tasks.parameters import probe, probe_buffers
from tasks.spec import SGD

RESNET = {"classes": 10, "blocks": (1, 1, 1, 1), "width": 4, "size": 32}
TORCH = """
import os, sys, torch
from pathlib import Path

folder = Path(sys.argv[1])
floats = {"a.weight": torch.arange(6.0).reshape(2, 3).T, "a.bias": torch.ones(2).bfloat16() / 3}
torch.save({"epoch": 3, "model": floats, "groups": [{"lr": 0.1}]}, folder / "nested.pt")
torch.save(floats, folder / "older.bin", _use_new_zipfile_serialization=False)


class Runs:
    def __reduce__(self):
        return os.system, (f"touch {folder / 'marker'}",)


torch.save({"conv1.weight": Runs()}, folder / "runs.pt")
torch.save({"conv1.weight": Runs()}, folder / "runs.bin", _use_new_zipfile_serialization=False)
torch.save({"conv1.weight": torch.zeros(1).expand(1 << 40)}, folder / "expanded.pt")
torch.save({"conv1.weight": torch.zeros(3, dtype=torch.complex64)}, folder / "complex.pt")
torch.save(torch.nn.Linear(2, 2), folder / "module.pt")
torch.save({"a": {"b": torch.zeros(1)}, "a.b": torch.zeros(1)}, folder / "twice.pt")
circle = {}
circle |= {str(number): circle for number in range(1000)}
torch.save(circle, folder / "circle.pt")
whole = (folder / "nested.pt").read_bytes()
(folder / "cut.pt").write_bytes(whole[: len(whole) // 2])
(folder / "empty.pt").write_bytes(b"")
"""
REFUSED_BY_TORCH = {
    "runs.pt": "Weights only load failed",
    "runs.bin": "Weights only load failed",
    "module.pt": "Weights only load failed",
    "expanded.pt": "unpacks to more than 100 times the file's size",
    "complex.pt": "'conv1.weight' is no array of numbers",
    "twice.pt": "two arrays have the name 'a.b'",
    "circle.pt": "unpacks to more than 100 times the file's size",
    "cut.pt": "PytorchStreamReader failed",
    "empty.pt": "EOFError",
}
KERAS = """
import sys
import h5py
import keras
import numpy as np
from keras.src.applications.resnet import ResNet, stack_residual_blocks_v1

folder = sys.argv[1]


def stack(x):
    for stage, width in enumerate((64, 128, 256, 512), start=2):
        x = stack_residual_blocks_v1(x, width, 1, stride1=1 + (stage > 2), name=f"conv{stage}")
    return x


model = ResNet(
    stack, False, True, weights=None, input_shape=(32, 32, 3), classes=10,
    classifier_activation=None,
)
rng = np.random.default_rng(0)
for each in model.weights:
    low = 0.0 if "variance" in each.path else -0.1
    each.assign(each.numpy() + rng.uniform(low, 0.1, each.shape))
x = rng.standard_normal((2, 32, 32, 3)).astype("f4")
np.savez(f"{folder}/made.npz", x=x, logits=model.predict(x, verbose=0))
model.save_weights(f"{folder}/model.weights.h5")
model.save(f"{folder}/older.h5")
model.save(f"{folder}/model.keras")


def file(name):
    return h5py.File(f"{folder}/{name}.h5", "w")


def layer(group, *shapes, **options):
    inner = group.create_group("layers/conv2d/vars")
    inner.attrs["name"] = "conv1_conv"
    for number, shape in enumerate(shapes):
        inner.create_dataset(str(number), shape, "f4", **options)


with file("huge") as group:
    layer(group, (1 << 40,), chunks=(1 << 10,))
with file("seven") as group:
    layer(group, *((1,),) * 7)
with file("texts") as group:
    layer(group)
    group["layers/conv2d/vars"].create_dataset("0", data=["a text"])
with file("linked") as group:
    group["layers"] = h5py.ExternalLink(f"{folder}/older.h5", "/")
with file("outside") as group:
    layer(group, (4,), external=[(f"{folder}/made.npz", 0, 16)])
with file("circle") as group:
    for number in range(20):
        group[str(number)] = group["/"]
with file("nameless") as group:
    layer(group, (1,))
    del group["layers/conv2d/vars"].attrs["name"]
whole = open(f"{folder}/older.h5", "rb").read()
open(f"{folder}/cut.h5", "wb").write(whole[: len(whole) // 2])
open(f"{folder}/empty.h5", "wb").write(b"")
"""
REFUSED_BY_KERAS = {
    "huge": "unpacks to more than 100 times the file's size",
    "seven": "has 7 arrays; 1 to 4 are known",
    "texts": "is no array of numbers",
    "linked": "is missing, or a link",
    "outside": "is no array of this file",
    "circle": "unpacks to more than 100 times the file's size",
    "nameless": "its layers have no names",
    "cut": "truncated file",
    "empty": "file signature not found",
}


def twin(name: str = "resnet50") -> Arrays:
    """Random parameters and buffers, by our paths."""
    model = MODELS[name].make(**RESNET)
    found = probe(model, 1) | probe_buffers(model, 1)
    return {path: array.astype(np.float32) for path, array in found.items()}


def asked(action: str, file: Path, *more: object) -> list[str]:
    """The command about a file by torchvision's names."""
    first = ["weights", action, "resnet50", str(file), "--source", "torchvision", "--quiet"]
    return [*first, *map(str, more)]


def made_by(real_installations, name: str, script: str, folder: Path) -> Path:
    interpreter = real_installations[name].interpreter
    subprocess.run([interpreter, "-c", script, folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def torch_files(real_installations, tmp_path_factory):
    return made_by(real_installations, "torch", TORCH, tmp_path_factory.mktemp("torch"))


@pytest.fixture(scope="module")
def keras_files(real_installations, tmp_path_factory):
    return made_by(real_installations, "tensorflow", KERAS, tmp_path_factory.mktemp("keras"))


@pytest.fixture(scope="module")
def reader(real_installations, tmp_path_factory):
    """A worker of PyTorch's installation, and one of TensorFlow's, that read files."""
    folder = tmp_path_factory.mktemp("read")

    def read_with(name, path):
        names = workers[name].read_weights(name, str(path), str(folder / "made.npz"))
        found = read(folder / "made.npz").arrays
        return {each: found[str(number)] for number, each in enumerate(names)}

    with (
        Worker(real_installations["torch"].interpreter, folder / "torch.log") as first,
        Worker(real_installations["tensorflow"].interpreter, folder / "keras.log") as second,
    ):
        workers = {"torch": Client(first), "tensorflow": Client(second)}
        yield read_with


def test_a_checkpoint_is_converted_and_the_same_in_all_frameworks(tribench, tmp_path):
    there = to_theirs(table("torchvision", "resnet50"), twin())
    file, made = tmp_path / "tuned.safetensors", tmp_path / "made.npz"
    more = {"module.bn1.num_batches_tracked": np.array(7)}
    wrapped = {f"module.{name}": array for name, array in there.items()}
    written = format_of(file, written=True)
    file.write_bytes(written.encoded(wrapped | more, {}))
    samples = tmp_path / "samples.npz"
    images = np.random.default_rng(0).standard_normal((3, 3, 32, 32)).astype(np.float32)
    np.savez(samples, inputs=images, targets=np.array([0, -1, 2]))
    size = ("--size", "size=32", "--json")
    done = tribench(*asked("check", file, *size, "--batch", samples), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["prefix"] == {"taken_off": "module.", "put_on": ""}
    assert told["sizes"] == RESNET | {"blocks": [1, 1, 1, 1]}
    answers = {each["backend"]: each for each in told["answers"]}
    assert answers.keys() >= {"numpy", "torch", "jax", "tensorflow"}
    assert answers["numpy"]["verdict"] == "reference"
    for name in ("torch", "jax", "tensorflow"):
        assert answers[name]["verdict"] == "same"
        assert 0 < answers[name]["off"] < 1e-6
        assert (answers[name]["guesses"], answers[name]["targets"]) == (3, 2)
        assert answers[name]["right"] == answers["numpy"]["right"]
    done = tribench(*asked("import", file, *size, "--output", made), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = read(made).arrays
    assert all(np.array_equal(found[path], array) for path, array in twin().items())


def test_a_look_names_what_is_missing_and_writes_nothing(tribench, tmp_path):
    there = to_theirs(table("torchvision", "resnet50"), twin())
    there["fc.2.bias"] = there.pop("bn1.bias")
    file, made = tmp_path / "other.npz", tmp_path / "made.npz"
    file.write_bytes(format_of(file, written=True).encoded(there, {}))
    done = tribench(*asked("show", file), folder=tmp_path)
    assert done.returncode == 1
    assert "bn1.bias, which is bn1.bias" in done.stdout
    assert "fc.2.bias" in done.stdout
    done = tribench(*asked("import", file, "--output", made), folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "tribench: bn1.bias, which is bn1.bias of resnet50, is missing"
    ]
    assert not made.exists()


def test_pytorch_reads_its_own_files(torch_files, reader):
    wanted = {"a.weight": [[0, 3], [1, 4], [2, 5]], "a.bias": [0.333984375] * 2}
    found = reader("torch", torch_files / "nested.pt")
    assert {name: array.tolist() for name, array in found.items()} == {
        f"model.{name}": array for name, array in wanted.items()
    }
    found = reader("torch", torch_files / "older.bin")
    assert {name: array.tolist() for name, array in found.items()} == wanted


@pytest.mark.parametrize("name", REFUSED_BY_TORCH)
def test_pytorch_refuses(name, torch_files, reader):
    with pytest.raises(WorkerError, match=REFUSED_BY_TORCH[name]):
        reader("torch", torch_files / name)
    assert not (torch_files / "marker").exists()


def test_code_in_a_pickle_does_not_run(tribench, torch_files, tmp_path):
    """Which it does where it is unpickled."""
    made = tmp_path / "made.npz"
    done = tribench(*asked("import", torch_files / "runs.pt", "--output", made), folder=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Weights only load failed" in done.stderr
    assert not made.exists()
    assert not (torch_files / "marker").exists()


def test_code_in_a_pickle_would_run(real_installations, torch_files):
    script = f"import torch; torch.load({str(torch_files / 'runs.pt')!r}, weights_only=False)"
    made_by(real_installations, "torch", script, torch_files)
    assert (torch_files / "marker").exists()
    (torch_files / "marker").unlink()


@pytest.mark.parametrize("name", ["model.weights.h5", "older.h5", "model.keras"])
def test_a_model_of_keras_is_the_same_function(name, keras_files, reader):
    """In NumPy, in float64; Keras computes in float32."""
    contents = Contents(arrays=reader("tensorflow", keras_files / name))
    found = look(contents, "resnet50-v1", "keras", {"size": 32})
    assert found.sizes == {"classes": 10, "blocks": (1, 1, 1, 1), "width": 64, "size": 32}
    wide = {path: array.astype(np.float64) for path, array in found.whole().items()}
    buffers = {path: wide.pop(path) for path in found.model.buffers()}
    task = codec.bare(found.model, SGD(learning_rate=0.1), 2)
    program = Backend(device="cpu", precision="float64", execution="eager").build(task, wide)
    program.load_state(State(parameters=wide, buffers=buffers))
    with np.load(keras_files / "made.npz") as arrays:
        images, wanted = arrays["x"].transpose(0, 3, 1, 2), arrays["logits"]
    batch = Batch(inputs=images.astype(np.float64), targets=np.zeros(2, np.int32))
    logits = program.numpy(program.predict(program.put(batch)))
    assert 0.01 < np.linalg.norm(wanted) < 1e6
    assert np.linalg.norm(logits - wanted) < 1e-5 * np.linalg.norm(wanted)


@pytest.mark.parametrize("name", REFUSED_BY_KERAS)
def test_the_reader_of_hdf5_refuses(name, keras_files, reader):
    with pytest.raises(WorkerError, match=REFUSED_BY_KERAS[name]):
        reader("tensorflow", keras_files / f"{name}.h5")


@pytest.mark.parametrize(("library", "end"), [("torch", ".pt"), ("tensorflow", ".h5")])
def test_what_a_worker_writes_it_reads(library, end, real_installations, reader, tmp_path):
    names = {"torch": "torchvision", "tensorflow": "keras"}[library]
    model = {"torch": "resnet50", "tensorflow": "resnet50-v1"}[library]
    there = to_theirs(table(names, model), twin(model))
    given, made = tmp_path / "given.npz", tmp_path / f"made{end}"
    np.savez(given, **{str(number): array for number, array in enumerate(there.values())})
    with Worker(real_installations[library].interpreter, tmp_path / "log") as worker:
        Client(worker).write_weights(library, [*there], str(given), str(made))
    found = look(Contents(arrays=reader(library, made)), model, names, {"size": 32}).whole()
    assert all(np.array_equal(found[path], array) for path, array in twin(model).items())
