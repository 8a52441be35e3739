"""What adapters declare of their frameworks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from backends.base import Backend
from backends.framework import CACHE, ON_CPU, OWN_CACHE, UNTOLD, Framework
from suite.worker import frameworks
from suite.worker.environment import environment, settings
from suite.worker.owed import fault
from suite.worker.variables import changes, is_read
from tests.conftest import ROOT

MINE = Framework(
    name="Mine",
    begins=("MINE_",),
    reads={"speed": "MINE_FUSION", "threads": "MINE_THREADS"},
    sets={ON_CPU: {"MINE_DEVICE": "cpu"}, UNTOLD: {"MINE_LOG": "0"}},
    threads=("MINE_THREADS",),
    out_of_memory="the pool is dry",
)


@pytest.fixture
def known():
    before = dict(frameworks.KNOWN)
    frameworks.know("mine", MINE)
    yield
    frameworks.KNOWN.clear()
    frameworks.KNOWN.update(before)


def test_every_adapter_of_the_repository_declares_its_framework():
    folders = {path.parent.name for path in (ROOT / "backends").glob("*/backend.py")}
    assert {*frameworks.KNOWN} == folders
    assert next(iter(frameworks.KNOWN)) == frameworks.REFERENCE
    colours = [each.colour for each in frameworks.KNOWN.values() if each.colour is not None]
    assert colours == sorted({*colours})


@pytest.mark.parametrize("name", frameworks.KNOWN)
def test_a_declaration_imports_nothing_but_its_own_words(name):
    tree = ast.parse(Path(ROOT, "backends", name, "framework.py").read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules == {"__future__", "backends.framework"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


def test_what_is_set_for_workers_is_known_to_be_read():
    for framework in frameworks.KNOWN.values():
        for when, variables in framework.sets.items():
            assert all(map(is_read, variables)), (framework.name, when)
        assert {*framework.threads, *framework.flags} <= changes().keys()
    assert {*frameworks.sets(CACHE), *frameworks.sets(OWN_CACHE)} <= changes().keys()


def test_what_another_package_declares_holds_for_every_worker(known, monkeypatch):
    monkeypatch.setenv("MINE_FUSION", "1")
    monkeypatch.setenv("MINE_TOKEN", "secret")
    found = environment("cpu")
    assert not {"MINE_FUSION", "MINE_TOKEN"} & found.keys()
    assert (found["MINE_DEVICE"], found["MINE_LOG"]) == ("cpu", "0")
    assert found["MINE_THREADS"] == found["OMP_NUM_THREADS"]
    assert "MINE_LOG" not in settings("cpu")
    stock = settings("cpu", kind="stock")
    assert stock["MINE_FUSION"] == "1"
    assert "MINE_TOKEN" not in stock


def test_what_is_declared_first_holds(known):
    frameworks.know("mine", Framework(name="Other"))
    assert frameworks.KNOWN["mine"] is MINE
    frameworks.know("jax", MINE)
    assert frameworks.KNOWN["jax"].name == "XLA and JAX"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("MemoryError", True),
        ("torch.OutOfMemoryError: CUDA out of memory", True),
        ("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes", True),
        ("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes", True),
        ("OOM when allocating tensor", True),
        ("terminate called after throwing an instance of 'std::bad_alloc'", True),
        ("cannot allocate memory in static TLS block", True),
        ("the memory format is channels last", False),
        ("the pool is dry", False),
    ],
)
def test_memory_that_ran_out_is_known_by_its_words(text, says):
    assert frameworks.of_memory(text) is says


def test_a_framework_may_have_words_of_its_own_for_it(known):
    assert frameworks.of_memory("mlx: The Pool is dry")


def test_what_is_declared_must_be_a_declaration():
    class Wrong(Backend):
        name = framework = "wrong"
        executions = ("eager",)
        declares = "wrong"  # type: ignore[assignment]

        def build(self, task, parameters):
            raise NotImplementedError

    assert "must be a backends.framework.Framework" in fault(Wrong, "cpu")
    Wrong.declares = MINE
    assert fault(Wrong, "cpu") is None
