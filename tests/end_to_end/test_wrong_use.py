"""Wrong use is one line on standard error, exit code 2, and nothing is measured or written."""

from __future__ import annotations

import sys
from functools import partial

import pytest


def weights(file, *more, action="show", model="resnet50"):
    """Arguments of the command, of which later ones count."""
    return ["weights", action, model, file, "--source", "torchvision", *more]


CASES = {
    "task": (["run", "--task", "cnn-huge"], "no task matches 'cnn-huge'; there are cnn-tiny"),
    "backend": (["run", "--backend", "mxnet"], "no backend matches 'mxnet'; there are"),
    "profile": (["run", "--profile", "quik"], "no profile 'quik'; there are quick"),
    "precision": (["run", "--precision", "int8"], "no precision matches 'int8'; there are"),
    "execution": (["run", "--execution", "fast"], "no execution matches 'fast'; there are"),
    "device": (["run", "--device", "tpu"], "no device 'tpu'; there are cpu, cuda"),
    "phase": (["run", "--phase", "predict"], "no phase matches 'predict'; there are train, infer"),
    "environment": (["run", "--environment", "mine"], "there are controlled, stock"),
    "seeds": (["run", "--seeds", "-1"], "--seeds (=-1) must be at least 0"),
    "batch size": (["run", "--batch-size", "0"], "--batch-size (=0) must be at least 1"),
    "huge batch": (["run", "--batch-size", "9" * 26], "must be at most 2147483647"),
    "huge seed": (["run", "--seed", str(2**64)], f"--seed (={2**64}) must be at most 2147483647"),
    "empty names": (["run", "--task", ""], "a list of names is empty; leave the option out"),
    "batch text": (
        ["run", "--batch-size", "many"],
        "'--batch-size': Input should be a valid integer",
    ),
    "output": (
        ["run", "--output", "/dev/null/runs"],
        "nothing can be written under /dev/null/runs",
    ),
    "interpreter": (["run", "--python", "torch=/no/python"], "--python torch=/no/python: no such"),
    "framework": (["run", "--python", f"torch={sys.executable}"], "No module named 'torch'"),
    "not python": (["run", "--python", "torch=/bin/true"], "--python torch=/bin/true"),
    "python form": (["run", "--python", "torch"], "it must be NAME=PATH"),
    "option": (["run", "--fast"], "--fast"),
    "command": (["race"], "race"),
    "resume": (["run", "--resume", "nothing"], "nothing is no run"),
    "resume with options": (["run", "--resume", "x", "--task", "cnn-tiny"], "--resume takes its"),
    "report": (["report", "nothing"], "nothing is no run"),
    "parity task": (["parity", "--task", "x"], "no task matches 'x'"),
    "weights file": (weights("no.npz"), "no.npz is not there"),
    "weights format": (
        weights("no.onnx"),
        "no.onnx: the name must end in one of",
    ),
    "weights model": (weights("no.npz", model="resnet-51"), "no model 'resnet-51'; there are"),
    "weights library": (
        weights("no.npz", "--source", "timm"),
        "no library 'timm'; there are",
    ),
    "weights of another library": (
        weights("no.npz", "--target", "transformers", "--output", "x.npz", action="export"),
        "transformers has no resnet50; of its models there are bert-base",
    ),
    "weights size": (weights("no.npz", "--size", "10"), "--size 10: it must be NAME=NUMBER or"),
    "weights output": (
        weights("no.npz", "--output", "new.weights.h5", action="import"),
        "new.weights.h5: the name must end in one of .safetensors, .npz,",
    ),
    "weights action": (weights("no.npz", action="eat"), "weights cannot eat; it can show, import"),
    "weights without PyTorch": (weights("script.pt"), "script.pt is not there"),
    "parity precision": (["parity", "--precision", "float16"], "no precision matches 'float16'"),
}


@pytest.fixture(scope="module")
def tribench(tribench, checkout):
    return partial(tribench, root=checkout)


@pytest.mark.parametrize("name", CASES)
def test_wrong_use(name, tribench, tmp_path):
    arguments, words = CASES[name]
    done = tribench(*arguments, folder=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stdout == ""
    assert not any(path.name.endswith(".jsonl") for path in tmp_path.rglob("*"))
