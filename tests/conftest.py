"""What tests share: the real command line, the plugins, and the real arms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from suite.plan import Choice, lanes
from suite.worker.discovery import Arm, arms

ROOT = Path(__file__).parents[1]
PLUGINS = ROOT / "tests" / "plugins"

Tribench = Callable[..., subprocess.CompletedProcess[str]]


def command_environment(
    script: Path | None = None, plugins: tuple[str, ...] = ()
) -> dict[str, str]:
    """The environment of a command line that sees these plugins as installed packages."""
    paths = [str(ROOT), *(str(PLUGINS / plugin) for plugin in plugins)]
    extra = {} if script is None else {"SCRIPT": str(script)}
    return os.environ | extra | {"PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "160"}


@pytest.fixture(scope="session")
def tribench(tmp_path_factory: pytest.TempPathFactory) -> Tribench:
    """Run the command line: ``tribench("run", ..., script={...}, plugins=(...), folder=...)``."""

    def run(
        *arguments: str,
        script: dict | None = None,
        plugins: tuple[str, ...] = (),
        folder: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        where = folder or tmp_path_factory.mktemp("run")
        return subprocess.run(
            [sys.executable, "-m", "suite", *arguments],
            cwd=where,
            env=command_environment(write_script(where, script), plugins),
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    return run


def write_script(folder: Path, script: dict | None) -> Path | None:
    """What the scripted adapters are told."""
    if script is None:
        return None
    file = folder / "script.json"
    file.write_text(json.dumps(script))
    return file


@pytest.fixture(scope="session")
def real_arms() -> dict[str, Arm]:
    """The arms of this checkout's environments; all three frameworks must be there."""
    found = {arm.name: arm for arm in arms({})}
    for name in ("numpy", "torch", "jax", "tensorflow"):
        assert found[name].why is None, f"{name} is not available: {found[name].why}"
    return found


def lane(real_arms: dict[str, Arm], backend: str, execution: str, precision: str):
    """One lane of a real arm."""
    choice = Choice(backends=(backend,), executions=(execution,))
    return lanes(choice, list(real_arms.values()), precision)[0]
