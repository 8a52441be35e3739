"""Sessions. Environments are made by sessions of their own: ``suite`` for the coordinator, which
holds no framework, and one per framework, because their CUDA packages conflict. The commands
(``bench``, ``parity``, ...) have none and run in these; what stands after ``--`` is passed on.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests"]

FRAMEWORKS = ("torch", "jax", "tensorflow")
PROJECT = nox.project.load_toml("pyproject.toml")["project"]
EXTRAS = PROJECT["optional-dependencies"]
SOURCES = ("tasks", "backends", "suite", "tests", "noxfile.py")
STOP_SECONDS = 60  # how long an interrupted run may take to write what it has


def install(session: nox.Session, *requirements: str) -> None:
    """Into the session's environment, with the pinned versions."""
    session.install("--quiet", "--constraint", "constraints.txt", *requirements)


def tribench(session: nox.Session, *arguments: str) -> None:
    """Run the command line in the coordinator's environment."""
    python = Path(".nox/suite/bin/python").absolute()
    session.run(
        *(str(python), "-m", "suite", *arguments),
        external=True,
        interrupt_timeout=STOP_SECONDS,
        terminate_timeout=STOP_SECONDS,
    )


@nox.session(default=False)
def suite(session: nox.Session) -> None:
    """Make the coordinator's environment."""
    install(session, *PROJECT["dependencies"])


def framework(session: nox.Session) -> None:
    """Make this framework's environment; with CUDA where there is an NVIDIA driver."""
    cuda = shutil.which("nvidia-smi") is not None
    try:
        install(session, *EXTRAS[f"{session.name}-cuda" if cuda else session.name])
    except CommandFailed:
        # The run goes on with the others, and its report says that this one is not available.
        session.warn(f"{session.name} could not be installed and will be left out")


for name in FRAMEWORKS:
    nox.session(framework, name=name, default=False)


@nox.session(venv_backend="none", default=False, requires=["suite", *FRAMEWORKS])
def bench(session: nox.Session) -> None:
    """Check parity, measure everything, write the report."""
    tribench(session, "run", *session.posargs)


@nox.session(venv_backend="none", default=False, requires=["suite", *FRAMEWORKS])
def parity(session: nox.Session) -> None:
    """Is it the same function everywhere?"""
    tribench(session, "parity", *session.posargs)


@nox.session(venv_backend="none", default=False, requires=["suite"])
def report(session: nox.Session) -> None:
    """Make the pages of runs again."""
    tribench(session, "report", *session.posargs)


@nox.session(requires=list(FRAMEWORKS))
def tests(session: nox.Session) -> None:
    """Unit, conformance and end-to-end tests, with the real frameworks."""
    install(session, *PROJECT["dependencies"], *EXTRAS["test"])
    chosen = session.posargs or ["tests/unit", "tests/conformance", "tests/end_to_end"]
    session.run("pytest", "--durations=10", *chosen)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Open the pages in headless Chromium; it must be installed (Debian: apt install chromium)."""
    install(session, *PROJECT["dependencies"], *EXTRAS["test"])
    session.run("pytest", "tests/browser", *session.posargs)


@nox.session(default=False)
def lint(session: nox.Session) -> None:
    """Style."""
    install(session, *EXTRAS["lint"])
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)


@nox.session(name="format", default=False)
def format_(session: nox.Session) -> None:
    """Put the style right."""
    install(session, *EXTRAS["lint"])
    session.run("ruff", "check", "--fix", *SOURCES)
    session.run("ruff", "format", *SOURCES)


@nox.session(default=False)
def typecheck(session: nox.Session) -> None:
    """Types, strictly."""
    install(session, *PROJECT["dependencies"], *EXTRAS["typecheck"])
    session.run("mypy")
