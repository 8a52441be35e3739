"""What the project says of itself in several files is the same in all of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PACKAGES = ("tasks", "backends", "suite")
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


@pytest.fixture(scope="module")
def told():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_each_python_that_is_promised_is_tested(told):
    start = "Programming Language :: Python :: 3."
    pythons = [c.rpartition(" ")[2] for c in told["project"]["classifiers"] if c.startswith(start)]
    assert told["project"]["requires-python"] == f">={pythons[0]}"
    assert told["tool"]["mypy"]["python_version"] == pythons[0]
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    matrices = re.findall(r"python: \[(.*)\]", text)
    assert [re.findall(r'"(.*?)"', matrix) for matrix in matrices] == [pythons] * 2


def test_there_are_workflows():
    assert {path.stem for path in WORKFLOWS} >= {"tests", "pages", "published", "release"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned(path):
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert used
    assert all(PINNED.fullmatch(each) for each in used), used


def test_the_sessions_that_workflows_run_are_there():
    sessions = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    for path in WORKFLOWS:
        for names in re.findall(r"nox -s ([\w ]+)", path.read_text(encoding="utf-8")):
            for name in names.split():
                assert re.search(rf"^def {name}\(", sessions, re.MULTILINE), f"{path.stem}: {name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_types_are_shipped(package, told):
    assert (ROOT / package / "py.typed").read_bytes() == b""
    assert "py.typed" in told["tool"]["setuptools"]["package-data"][package]


def test_the_citation_names_the_version(told):
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    project = told["project"]
    assert f"\nversion: {project['version']}\n" in text
    assert f"\nlicense: {project['license']}\n" in text
    assert all(f"  - name: {author['name']}\n" in text for author in project["authors"])
