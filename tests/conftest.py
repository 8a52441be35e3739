"""What tests share: the real command line, the plugins, and the real installations."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from suite.machine import idle
from suite.plan.configurations import Configuration, configurations
from suite.plan.options import Choice
from suite.worker.installations import Installation, discover

ROOT = Path(__file__).parents[1]
PLUGINS = ROOT / "tests" / "plugins"
QUIET = ROOT / "tests" / "fixtures" / "quiet_cores.py"
BUSY = ROOT / "tests" / "fixtures" / "busy_machine.py"
TEMPORARY = tempfile.TemporaryDirectory(prefix="tribench-tests-")  # the lock of these tests' runs
# What workers compiled, of all processes of these tests: g++ takes 1.1 s for a kernel of PyTorch's.
COMPILED = Path(os.environ.setdefault("TRIBENCH_TESTS_COMPILED", f"{TEMPORARY.name}/compiled"))

os.environ["TMPDIR"] = TEMPORARY.name
os.environ["XDG_CACHE_HOME"] = str(COMPILED)  # XLA's; nothing of an earlier test session is found


def share_inductor() -> None:
    """Have PyTorch keep it there too: no variable tells controlled workers, so that it lies in the
    folder for temporary files, by the user's name (torch/_inductor/runtime/cache_dir_utils.py).
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid_{os.getuid()}"
    (COMPILED / "inductor").mkdir(parents=True, exist_ok=True)
    Path(TEMPORARY.name, f"torchinductor_{user}").symlink_to(COMPILED / "inductor")


share_inductor()


def link_quickly() -> None:
    """Have g++ take gold where there is one: of a kernel of PyTorch's, 1.4 s of a core with it are
    1.0, since GNU ld reads all that libtorch_cpu has.
    """
    gold = shutil.which("ld.gold")
    if gold is not None:
        folder = Path(TEMPORARY.name, "linker")
        folder.mkdir()
        (folder / "ld").symlink_to(gold)
        before = os.environ.get("COMPILER_PATH")
        os.environ["COMPILER_PATH"] = f"{folder}:{before}" if before else str(folder)


link_quickly()

settings.register_profile("shared", deadline=None)  # other work makes a single example slow
settings.load_profile("shared")

Tribench = Callable[..., subprocess.CompletedProcess[str]]


# These begin first, for no process to be alone with one of them at the end. What test_parity has
# compiled test_third_party finds, unless both are beside each other.
LONGEST = (
    "conformance/test_layers.py",
    "conformance/test_parity.py",
    "conformance/test_fourth_framework.py",
    "end_to_end/test_third_party.py",
)

AWAKE = ExitStack()  # runs in two processes would set it and set it back under each other


def pytest_configure() -> None:
    """Give each process of pytest-xdist cores of its own: PyTorch's cnn-tiny training beside
    another took 6 s with a core of its own, 10 and 44 s with a thread per core (single runs).
    """
    name = os.environ.get("PYTEST_XDIST_WORKER")
    if name is None:
        AWAKE.enter_context(idle.kept_awake())
    elif hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        number, count = int(name.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        os.sched_setaffinity(0, cores[number::count] or [cores[number % len(cores)]])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; pytest-xdist gives whole files to its processes, in this order."""
    turns = {ROOT / "tests" / name: turn for turn, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turns.get(item.path, len(LONGEST)))


def pytest_collection_finish() -> None:
    """No test file leaves a plugin's folder on the path: the adapters in it would be installed for
    every test of the process.
    """
    left = [path for path in sys.path if Path(path).is_relative_to(PLUGINS)]
    if left:
        raise pytest.UsageError(f"a test file left {', '.join(left)} on sys.path")


def pytest_unconfigure() -> None:
    """Idle cores as they were."""
    AWAKE.close()


def command_environment(
    script: Path | None = None, plugins: tuple[str, ...] = (), root: Path = ROOT
) -> dict[str, str]:
    """The environment of a command line that sees these plugins as installed packages."""
    paths = [str(root), *(str(PLUGINS / plugin) for plugin in plugins)]
    extra = {} if script is None else {"SCRIPT": str(script)}
    extra |= {"PYTHONPATH": os.pathsep.join(paths)}
    return os.environ | {"COLUMNS": "160"} | extra


@pytest.fixture(scope="session")
def tribench(tmp_path_factory: pytest.TempPathFactory) -> Tribench:
    """Run the command line: ``tribench("run", ..., script={...}, plugins=(...), folder=...)``. With
    ``once`` disturbed rounds are not measured again, where a test takes disturbed cells as well.
    More goes to subprocess.run.
    """

    def run(
        *arguments: str,
        script: dict[str, Any] | None = None,
        plugins: tuple[str, ...] = (),
        folder: Path | None = None,
        root: Path = ROOT,
        timeout: float = 900,
        once: bool = False,
        **more: Any,
    ) -> subprocess.CompletedProcess[str]:
        where = folder or tmp_path_factory.mktemp("run")
        module = ["-m", "suite"]
        if script is not None or once:
            module = [str(BUSY if once else QUIET)]
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [sys.executable, *module, *arguments],
            cwd=where,
            env=command_environment(write_script(where, script), plugins, root),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **more,
        )
        return done

    return run


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages without the frameworks' environments: its runs start at once."""
    copy = tmp_path_factory.mktemp("checkout")
    for package in ("tasks", "backends", "suite"):
        shutil.copytree(ROOT / package, copy / package)
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@pytest.fixture(scope="session")
def torch_checkout(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with PyTorch's environment alone. Not by a link to it: what PyTorch compiles is kept
    by the folder that its headers are found in, and nothing that other tests compiled was found.
    """
    copy = tmp_path_factory.mktemp("torch") / "checkout"
    shutil.copytree(checkout, copy)
    python = copy / ".nox" / "torch" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{ROOT}/.nox/torch/bin/python" "$@"\n')
    python.chmod(0o755)
    return copy


def of_the_whole(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The answers of ``tribench parity --json``, without those about the batches that are timed."""
    return [r for r in json.loads(done.stdout)["results"] if r["phase"] is None]


def write_script(folder: Path, script: dict[str, Any] | None) -> Path | None:
    """What the scripted adapters are told."""
    if script is None:
        return None
    file = folder / "script.json"
    file.write_text(json.dumps(script))
    return file


@pytest.fixture(scope="session")
def real_installations() -> dict[str, Installation]:
    """The installations of this checkout's environments; all three frameworks must be there."""
    found = {installation.name: installation for installation in discover({})}
    for name in ("numpy", "torch", "jax", "tensorflow"):
        assert found[name].why is None, f"{name} is not available: {found[name].why}"
    return found


def configuration(
    real_installations: dict[str, Installation], backend: str, execution: str, precision: str
) -> Configuration:
    """One configuration of a real installation."""
    choice = Choice(backends=(backend,), executions=(execution,))
    return configurations(choice, list(real_installations.values()), precision)[0]
