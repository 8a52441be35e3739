"""The command line's help, version and completion, without a command being done."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import typer

from suite.cli import COMMANDS, app
from suite.commands.options import console

ROOT = Path(__file__).parents[3]
HEAVY = ("pandas", "plotly", "pyarrow", "scipy", "sklearn")


def python(*arguments: str, **variables: str) -> str:
    """What a fresh interpreter prints, beside the packages."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "100"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def parameters(name):
    """The options and arguments of a command; of the program itself for an empty name."""
    group = typer.main.get_command(app)
    if not name:
        return group.params
    _, command, _ = group.resolve_command(typer.Context(group), [name])
    return command.params


def test_every_module_is_a_command():
    modules = {path.stem for path in (ROOT / "suite" / "commands").glob("*.py")}
    assert modules - {"__init__", "options"} == {*COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_has_the_words_of_their_docstrings(name):
    module = import_module(f"suite.commands.{name}")
    assert module.__doc__.startswith(f"``tribench {name}``: ")
    first, *_ = inspect.getdoc(module.command).split("\n\n")
    assert " ".join(first.split()) == COMMANDS[name]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_option_has_a_help_text_with_its_default(name):
    found = parameters(name)
    assert found
    for parameter in found:
        assert parameter.help, f"{name} {parameter.name} has no help text"
        assert parameter.help.endswith("."), f"{name} {parameter.name}: {parameter.help}"
        shown = parameter.default is not None and parameter.show_default
        needs_none = parameter.required or getattr(parameter, "is_flag", False)
        told = "Default: " in parameter.help
        assert shown or told or needs_none, f"{name} {parameter.name} tells no default"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option):
    code = (
        "import sys\nfrom suite.cli import main\n"
        f"sys.argv = ['tribench', {option!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('imported:', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    *shown, imported = python("-c", code).splitlines()
    assert any("tribench" in line for line in shown)
    assert imported.split() == ["imported:"]


@pytest.mark.parametrize(("name", "needed"), [("list", ()), ("compare", ("scipy",))])
def test_commands_import_what_they_need(name, needed):
    code = f"import sys, suite.commands.{name}\nprint(*[n for n in {HEAVY!r} if n in sys.modules])"
    assert {*python("-c", code).split()} <= {*needed}


def test_the_version_is_the_project_s():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert python("-m", "suite", "--version") == f"tribench {project['version']}\n"


def test_the_program_calls_itself_tribench():
    told = python("-m", "suite", "--help")
    assert "Usage: tribench " in told
    assert all(f" {name} " in told for name in COMMANDS)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("tribench ru", ["run"]),
        ("tribench co", ["compare", "conformance"]),
        ("tribench list --dev", ["--device"]),
    ],
)
def test_a_shell_completes_commands_and_options(typed, completed):
    last = str(len(typed.split()) - 1)
    told = python(
        "-m", "suite", _TRIBENCH_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=last
    )
    assert sorted(told.split()) == completed


@pytest.mark.parametrize(("columns", "width"), [("40", 80), ("0", 80), ("132", 132)])
def test_tables_are_never_so_narrow_that_digits_are_left_out(columns, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert console().width == width
