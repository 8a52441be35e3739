"""The adapters are mirrored: the same files, the same public names, the same order."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

BACKENDS = Path(__file__).parents[2] / "backends"
FILES = [path.name for path in sorted((BACKENDS / "torch").glob("*.py"))]
FRAMEWORKS = ("jax", "tensorflow")


def public(path: Path) -> list[str]:
    """Functions and classes, with their methods, in order; private ones and helpers left out."""
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            found.append(node.name)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            methods = [
                m.name for m in node.body if isinstance(m, ast.FunctionDef) and m.name[0] != "_"
            ]
            found += [node.name, *(f"{node.name}.{name}" for name in methods)]
    return found


@pytest.mark.parametrize("backend", ["numpy", *FRAMEWORKS])
def test_the_same_files(backend):
    assert [path.name for path in sorted((BACKENDS / backend).glob("*.py"))] == FILES


@pytest.mark.parametrize("backend", FRAMEWORKS)
@pytest.mark.parametrize("file", FILES)
def test_the_same_names_in_the_same_order(backend, file):
    assert public(BACKENDS / backend / file) == public(BACKENDS / "torch" / file)


@pytest.mark.parametrize("file", FILES)
def test_the_reference_has_the_protocols_names(file):
    protocol = {"layers.py", "losses.py", "optimizers.py", "arrays.py"}
    if file in protocol:
        reference = [
            n for n in public(BACKENDS / "numpy" / file) if n.partition(".")[0] != "Gradient"
        ]
        wanted = [n for n in public(BACKENDS / "torch" / file) if n in reference]
        assert reference == wanted
