"""A task on its way to a worker, and the hash of its recipe."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from suite.plan import catalogue
from tasks import codec, spec
from tasks.spec import CTC, CrossEntropy

TASKS = catalogue.tasks()


@pytest.mark.parametrize("name", TASKS)
def test_a_task_survives_its_journey_to_a_worker(name):
    task = codec.portable(TASKS[name])
    assert codec.decode(json.loads(json.dumps(codec.encode(task)))) == task


def test_the_spec_hash_tells_recipes_apart():
    task = TASKS["cnn-tiny"]
    other = replace(task, optimizer=replace(task.optimizer, momentum=0.8))
    assert codec.spec_hash(task) == codec.spec_hash(replace(task))
    assert codec.spec_hash(task) != codec.spec_hash(other)
    assert codec.spec_hash(task) == codec.spec_hash(replace(task, score="bits_per_byte"))


HASHES = {  # as in runs that are published or were
    "cnn-tiny": "1623ac375095",
    "cnn-small": "08c7ec0ef813",
    "cnn-tiny-cifar10": "20b3ffbaf4e8",
    "cnn-small-cifar10": "22622a907fa3",
    "rnn-tiny": "1b136a2a672d",
    "rnn-small": "7c2fbce99038",
    "gru-small": "61f0d67d8f55",
    "transformer-tiny": "08627cb8900d",
    "transformer-small": "c4c685e111bc",
    "gpt-tiny": "20278effd389",
    "gpt-small": "e14611b48c66",
    "translation-tiny": "b40d3af46bd9",
    "translation-small": "28a223205168",
    "speech-tiny": "3c0e3305a849",
    "speech-small": "b7545ca7a6d0",
    "resnet50": "eff46593ffa9",
    "vgg16": "8c6138ec4f95",
    "inception-v3": "83e4cc030649",
    "vit-b16": "833f396aca33",
    "bert-base": "71cb93096b6a",
    "roberta-base": "602156f22aad",
    "gpt2": "052ddbc90c6e",
    "llama-125m": "793e3d2ee671",
    "transformer-base": "a4aab913e900",
    "resnet50-twin": "5f98eef0dd05",
    "vgg16-twin": "57a477eb192b",
    "inception-v3-twin": "c1ce3bc3fd97",
    "vit-b16-twin": "3f03ee57cc4a",
    "bert-base-twin": "a9ab2aac341e",
    "roberta-base-twin": "39b59022af65",
    "gpt2-twin": "236d9ee58329",
    "llama-125m-twin": "865c88cb9014",
    "transformer-base-twin": "ae8cac0600ca",
    "cnn-small-imagenette": "b610f1413550",
    "gpt-small-wikitext2": "ba90b1ecc30a",
    "speech-small-commands": "eeeb5fcd7a68",
    "translation-small-multi30k": "0c9d95ebd655",
}


def test_the_tasks_have_the_hashes_that_stored_runs_have():
    assert {name: codec.spec_hash(task) for name, task in TASKS.items()} == HASHES


def test_a_field_that_came_later_changes_only_the_hashes_of_those_who_use_it():
    task = TASKS["cnn-tiny"]
    for changed in (
        replace(task, optimizer=replace(task.optimizer, milestones=(500,))),
        replace(task, optimizer=replace(task.optimizer, schedule="cosine", decay_steps=500)),
        replace(task, loss=CrossEntropy(smoothing=0.1)),
        replace(task, loss=CTC()),
    ):
        assert codec.spec_hash(changed) != codec.spec_hash(task)
        portable = codec.portable(changed)
        assert codec.decode(json.loads(json.dumps(codec.encode(portable)))) == portable


def test_a_field_that_came_later_to_one_class_is_old_in_another():
    """Convolutions have had padding from the beginning, pools have not."""
    model = spec.ModelSpec(
        name="m",
        input=spec.Input(shape=(1, 4, 4)),
        layers=(
            ("conv", spec.Conv2d(in_channels=1, out_channels=1, kernel_size=2)),
            ("pool", spec.MaxPool(size=2, stride=1)),
        ),
    )
    told = json.dumps(codec._as_before(codec.encode(model)))
    assert told.count('"padding": 0') == 1
    padded = model.with_layer("pool", spec.MaxPool(size=2, stride=1, padding=1))
    assert '"padding": 1' in json.dumps(codec._as_before(codec.encode(padded)))
