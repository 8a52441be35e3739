"""The command line. Progress goes to standard error, results to standard output."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from suite.errors import INTERRUPTED, USAGE, CommandError
from suite.report import streams

COMMANDS = {  # the first paragraph of each command's docstring, without importing its module
    "run": "Check parity, then measure throughput, memory and accuracy.",
    "parity": "Check that every backend and execution has the same function, precision and "
    "training.",
    "list": "Show tasks and backends, which backend can run which task, and why not where it "
    "cannot.",
    "report": "Make the tables and pages of runs again from their records.",
    "compare": "Show what became slower or faster from one run to another. Arms of one run show "
    "more.",
    "upgrade": "Judge an upgrade of a framework: an older and a newer version as arms of one run.",
    "export": "Write a run in another tool's format. CSV and Parquet lie in the run's tables.",
    "publish": "Check runs and copy their records to where the site is made from: all of them or "
    "none.",
    "doctor": "Check that tribench measures right here, and find what spoils measurements.",
    "weights": "Read a library's checkpoint of a model, show it, convert it, compare frameworks "
    "with it.",
    "environments": "Show the environments that --with has made, or remove some.",
    "conformance": "Check that an adapter does everything that it owes. For those who write one.",
    "calibrate": "Derive parity's thresholds anew. For developers.",
}


class Commands(TyperGroup):
    """Imports a command's module when the command is called: suite.commands.NAME, whose function
    ``command`` it is, with ``SETTINGS`` of its context if it has any. The list of commands needs
    none of them.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and _loaded(command.name or ""), rest


app = typer.Typer(
    name="tribench",
    cls=Commands,
    help="One model, three frameworks, one honest verdict.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _loaded(name: str) -> Any:
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    module = import_module(f"suite.commands.{name}")
    alone.command(name, context_settings=getattr(module, "SETTINGS", None))(module.command)
    return typer.main.get_command(alone)


def _version(wanted: bool) -> None:
    if wanted:
        from suite.store.fingerprint import version  # which reads what is installed

        print(f"tribench {version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and end.", callback=_version, is_eager=True
        ),
    ] = False,
) -> None:
    """What stands before a command's name."""


def _nothing() -> None:
    """Stands for a command that is not loaded."""


for name, words in COMMANDS.items():
    app.command(name, help=words)(_nothing)


def main() -> NoReturn:
    """Run the command line; wrong use is one line and exit code 2."""
    signal.signal(signal.SIGTERM, _interrupt)
    streams.prepare()
    try:
        code = app(prog_name="tribench", standalone_mode=False)
        streams.finish()
    except CommandError as error:
        _leave(str(error), error.exit_code)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # Rich and Typer make 1 of it
            _leave(str(streams.lost(end.__context__)), USAGE)
        raise
    except KeyboardInterrupt:
        _leave("interrupted", INTERRUPTED)
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and error.errno in streams.LOST:
            _leave(str(streams.lost(error)), USAGE)  # of more than one buffer
        # Typer's own complaints about options and arguments.
        explain: Callable[[], str] | None = getattr(error, "format_message", None)
        if explain is None:
            raise
        _leave(explain() or "see tribench --help", getattr(error, "exit_code", USAGE))
    sys.exit(code if isinstance(code, int) else 0)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _leave(message: str, code: int) -> NoReturn:
    with suppress(OSError):  # it may be gone
        print(f"tribench: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
