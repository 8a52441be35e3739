"""Imports run one way, and no framework is imported outside its own folder."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRAMEWORKS = ("torch", "jax", "tensorflow", "keras", "flax", "optax")
BARE = tuple(
    f"backends/{name}.py" for name in ("base", "formats", "framework", "program", "weights")
)
LIGHT = (
    "tasks",
    *BARE,
    "suite/__init__.py",
    "suite/errors.py",
    "suite/files.py",
    "suite/machine",
    "suite/records/__init__.py",
    "suite/records/notation.py",
    "suite/records/personal.py",
    "suite/worker",
    "suite/parity/conformance/unknown.py",
    "suite/parity/layer_checks.py",
    "suite/doctor/__init__.py",
    "suite/doctor/known.py",
)
BELOW = {
    "tasks": {"tasks"},
    "backends": {"tasks", "backends"},
    "suite": {"tasks", "backends", "suite"},
}
ROOMS = (  # of suite/, roof to floor: a module imports from its own room and from those after it
    *("__main__", "cli", "commands", "run", "report", "doctor", "accuracy", "parity", "measure"),
    *(
        "weights",
        "engine",
        "store",
        "plan",
        "worker",
        "machine",
        "analysis",
        "records",
        "files",
        "errors",
    ),
)


def modules(*starts):
    for start in starts:
        path = ROOT / start
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            yield file.relative_to(ROOT)


def declared():
    """What adapters declare of their frameworks."""
    found = [str(file) for file in modules("backends") if file.name == "framework.py"]
    assert len(found) > len(FRAMEWORKS) / 2
    return found


def name_of(file):
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_core_imports_no_framework():
    names = [
        name_of(f)
        for f in modules("tasks", "suite", *BARE, *declared())
        if "__main__" not in f.name
    ]
    found = run(
        f"import importlib, sys\nnames = {names!r}\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {FRAMEWORKS!r}:\n"
        "            raise AssertionError(f'{name} is imported, not in its folder of backends/')\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "for name in names: importlib.import_module(name)\nprint(len(names))"
    )
    assert int(found[0]) > 40


def test_the_worker_and_the_specs_need_numpy_only():
    names = [
        name_of(f) for f in modules(*LIGHT) if "__main__" not in f.name and "data" not in f.parts
    ]
    found = run(
        "import sys\nbefore = set(sys.modules)\nimport importlib, numpy, numpy.random\n"
        "known = set(sys.modules)\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "top = {name.partition('.')[0] for name in set(sys.modules) - known}\n"
        "print(*sorted(top - set(sys.stdlib_module_names)))"
    )
    assert set(found) <= {"tasks", "backends", "suite", "numpy"}


@pytest.mark.parametrize("file", list(modules(*BELOW)), ids=str)
def test_floors_import_downwards_only(file):
    allowed = BELOW[file.parts[0]]
    own = {file.parts[1]} if file.parts[0] == "backends" and len(file.parts) > 2 else set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        for name in names:
            top = name.partition(".")[0]
            above = {"tasks", "backends", "suite"} - allowed
            assert top not in above, f"{file} imports {name}, which lies above {file.parts[0]}/"
            assert top not in set(FRAMEWORKS) - own, (
                f"{file} imports {name}, not in its folder of backends/"
            )
            if name.startswith("backends.") and own:
                assert name.split(".")[1] in own | {Path(each).stem for each in BARE}, (
                    f"{file} imports {name}"
                )


def imported(file):
    """The modules of ours that a file imports."""
    known = {name_of(each) for each in modules("tasks", "backends", "suite")}
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield from {below if below in known else node.module} & known


def room(name):
    return name.split(".")[1]


def test_the_rooms_are_those_that_are_there():
    there = {path.stem for path in (ROOT / "suite").iterdir() if path.suffix == ".py"}
    there |= {path.parent.name for path in (ROOT / "suite").glob("*/__init__.py")}
    assert there - {"__init__"} == {*ROOMS}


@pytest.mark.parametrize("file", list(modules("suite")), ids=str)
def test_rooms_import_downwards_only(file):
    if file == Path("suite/__init__.py"):
        return
    own = room(name_of(file))
    below = {*ROOMS[ROOMS.index(own) + 1 :]}
    names = [name for name in imported(file) if name.startswith("suite.")]
    wrong = [name for name in names if room(name) != own and room(name) not in below]
    assert not wrong, f"{file} imports {wrong}, which lie above suite/{own}"


def test_no_module_of_a_room_imports_itself_in_a_circle():
    graph = {name_of(file): {*imported(file)} for file in modules("suite")}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' imports '.join(reversed(error.args[1]))}")
