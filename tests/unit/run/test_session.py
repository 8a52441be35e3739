"""What a run is begun and resumed with."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from suite.plan import catalogue
from suite.plan.options import Choice
from suite.plan.plan import make
from suite.run import session
from suite.run.session import command
from suite.store import directory
from suite.store.directory import StoreError
from tests.fixtures.installations import ARMS
from tests.fixtures.stored_run import stored_sample


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"launches": "many"}, "choice.launches"),
        ({"tasks": 7}, "choice.tasks"),
        ({"backends": [["scripted"], None]}, "choice.backends.0"),
        ({"device": 3}, "choice.device"),
    ],
)
def test_options_of_other_types_cannot_be_resumed(tmp_path, changes, said):
    run = stored_sample(tmp_path)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["choice"] = asdict(Choice()) | changes
    (run / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match=f"is damaged: {said}"):
        session.choice_of(run)
    manifest["choice"] = asdict(Choice(tasks=("a",), time_budget=60))
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert session.choice_of(run) == Choice(tasks=("a",), time_budget=60)


def test_a_run_begins_with_what_its_tasks_are(tmp_path):
    choice = Choice(tasks=("rnn-tiny",))
    plan = make(choice, catalogue.tasks(), ARMS)
    session.begin(plan, tmp_path, "tribench run").close()
    (path,) = tmp_path.iterdir()
    manifest = directory.read_manifest(path)
    assert manifest.tasks.keys() == {"rnn-tiny"}
    told = {"spec", "data", "data_hash", "batch_size", "epochs", "seeds", "parameters", "flops"}
    assert manifest.tasks["rnn-tiny"].keys() == told
    plan = make(Choice(tasks=("gpt-tiny",)), catalogue.tasks(), ARMS)
    session.begin(plan, tmp_path / "text", "tribench run").close()
    (path,) = (tmp_path / "text").iterdir()
    (text,) = directory.read_manifest(path).tasks.values()
    assert text["tokens"] == catalogue.tasks()["gpt-tiny"].model.output_shape()[0]
    assert {cell.backend for cell in manifest.cells} == {"torch", "jax", "tensorflow"}


def test_the_command_repeats_the_run_and_holds_no_path():
    choice = Choice(tasks=("cnn*",), batch_sizes=(8,), launches=3, label="mine")
    line = command(choice, {"torch@old": "/home/someone/env/bin/python3"})
    assert line == (
        "tribench run --profile quick --device cpu --task 'cnn*' --batch-size 8 --launches 3 "
        "--python torch@old=python3"
    )
