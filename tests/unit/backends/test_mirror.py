"""The adapters are mirrored: the same files, the same public names, the same order."""

from __future__ import annotations

import ast
from importlib import import_module

import pytest

from tests.conftest import ROOT
from tests.fixtures.public_names import public

BACKENDS = ROOT / "backends"
LAYERS = ("dense.py", "image.py", "recurrent.py", "sequence.py", "several.py", "steps.py")
FILES = ("arrays.py", "backend.py", "losses.py", "optimizers.py", "program.py")
PARTS = (*FILES, *(f"layers/{name}" for name in LAYERS))
FRAMEWORKS = ("jax", "tensorflow")
OWN = {  # what the reference has beside the names that it shares with the adapters
    "backend.py": {"Backend.offered", "Backend.compute", "Backend.forward"},
    "program.py": {"Program.compilations", "Program.facts", "Node", "Node.then"},
}


def framework(backend):
    return import_module(f"backends.{backend}.framework").FRAMEWORK


@pytest.mark.parametrize("backend", ["numpy", "torch", *FRAMEWORKS])
def test_the_same_files(backend):
    folder = BACKENDS / backend
    own = {"weights.py"} if framework(backend).weights else set()  # not all have formats
    there = {path.name for path in folder.glob("*.py")}
    assert there == {"__init__.py", "framework.py", *FILES} | own
    there = {path.name for path in (folder / "layers").glob("*.py")}
    assert there == {"__init__.py", "arithmetic.py", *LAYERS}


@pytest.mark.parametrize("backend", ["numpy", "torch", *FRAMEWORKS])
def test_a_backend_is_all_that_a_package_gives_away(backend):
    code, torch = (
        ast.parse((BACKENDS / name / "__init__.py").read_text(encoding="utf-8")).body[1:]
        for name in (backend, "torch")
    )
    named = [ast.unparse(node).replace(f"backends.{backend}.", "backends.torch.") for node in code]
    assert named == [ast.unparse(node) for node in torch]
    assert "__all__ = ['Backend']" in named


@pytest.mark.parametrize("backend", FRAMEWORKS)
@pytest.mark.parametrize("file", PARTS)
def test_the_same_names_in_the_same_order(backend, file):
    theirs = public(BACKENDS / "torch" / file)
    assert theirs
    assert public(BACKENDS / backend / file) == theirs


@pytest.mark.parametrize("file", PARTS)
def test_the_reference_has_their_names_in_their_order_and_its_own(file):
    reference, theirs = public(BACKENDS / "numpy" / file), public(BACKENDS / "torch" / file)
    shared = [name for name in reference if name in theirs]
    assert shared
    assert shared == [name for name in theirs if name in reference]
    assert {*reference} - {*shared} == OWN.get(file, set())


def test_readers_of_weights_have_the_same_names():
    files = [*BACKENDS.glob("*/weights.py")]
    assert {file.parent.name for file in files} == {"torch", "tensorflow"}
    assert all({"read", "write"} <= {*public(file)} for file in files)
