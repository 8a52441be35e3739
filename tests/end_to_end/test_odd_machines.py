"""Machines as people have them: folders with odd names, no home, no name, an output that takes no
sign but ASCII's or nothing at all, system calls that are refused, packages removed by half.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from suite.run import session
from suite.worker.environment import own_cache
from tests.conftest import ROOT, command_environment
from tests.fixtures.stored_run import stored_sample

ASCII = {"PYTHONIOENCODING": "ascii"}
BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ODD = 'odd\udcff ü "it\'s" back\\slash'  # the first is a byte that is no UTF-8
PLUGINS = ("scripted", "refusing")
RUN = ("run", "--task", "rnn-tiny", "--backend", "scripted", "--launches", "1", "--seeds", "0")


@pytest.fixture
def bare(monkeypatch):
    """Nobody's process: no home, no name, no folder of its own for caches."""
    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """What was said, of a command that could not do what was asked."""
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("tribench: ")
    return line


@pytest.mark.parametrize("refused", ["one core,name", "affinity,name"])
def test_a_run_where_everything_is_odd(refused, bare, tribench, checkout, tmp_path):
    for name, value in (BARE | {"REFUSED": refused}).items():
        bare.setenv(name, value)
    (tmp_path / ODD / "tmp").mkdir(parents=True)
    bare.setenv("TMPDIR", str(tmp_path / ODD / "tmp"))
    stale(tmp_path / "stale")
    done = tribench(
        *(*RUN, "--quiet", "--label", "Überlauf", "--output", ODD),
        script={},
        plugins=(*PLUGINS, str(tmp_path / "stale")),
        folder=tmp_path,
        root=checkout,
        timeout=300,
        errors="surrogateescape",
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line == (
        "tribench: nothing that is compiled is kept for the next time, since there is no home "
        "folder; XDG_CACHE_HOME can name another folder"
    )
    assert "12,800 +-" in done.stdout
    (run,) = (path for path in (tmp_path / ODD).iterdir() if path.name != "tmp")
    assert f"Page: {ODD}/{run.name}/page.html" in done.stdout
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["complete"]
    assert manifest["label"] == "Überlauf"
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {ODD, "stale", "script.json"}, "a folder called ~?"


def stale(folder: Path) -> None:
    """What is left of packages that were removed: folders without a name or a version, before the
    whole ones on the path.
    """
    for name in ("numpy-9.9", "tribench-9.9", "~ensorflow-9.9", "jaxlib-9.9"):
        (folder / f"{name}.dist-info").mkdir(parents=True)
    (folder / "jaxlib-9.9.dist-info" / "METADATA").write_text("Name: jaxlib\n")


# What cannot be


def test_a_file_system_without_locks_is_told(tribench, checkout, monkeypatch):
    monkeypatch.setenv("REFUSED", "locks")
    said = one_line(tribench(*RUN, script={}, plugins=PLUGINS, root=checkout))
    assert "cannot be locked: No locks available; set TMPDIR to a folder of a file system" in said


def test_no_folder_for_temporary_files_is_told(tribench, checkout, monkeypatch):
    code = "import sys, tempfile; tempfile._candidate_tempdir_list = lambda: ['/proc/no']\n"
    code += "sys.argv[0] = 'tribench'; from suite.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *RUN],
        env=command_environment(plugins=PLUGINS, root=checkout),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ("tribench: no temporary folder can be written: set TMPDIR to one\n"), (
        done.stderr
    )


@pytest.mark.parametrize("value", ["0", "four"])
def test_numbers_of_threads_that_mean_nothing_are_told(value, tribench, checkout, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    done = tribench(*RUN, "--environment", "stock", script={}, plugins=PLUGINS, root=checkout)
    assert one_line(done) == (
        f"tribench: OMP_NUM_THREADS (={value}) must be a whole number, at least 1, or several by "
        "commas"
    )


def test_a_batch_without_a_variance_is_told_before_work(tribench, checkout):
    narrow = ("run", "--task", "narrow", "--backend", "scripted")
    run_in = partial(tribench, script={}, plugins=("layered", "scripted"), root=checkout)
    said = one_line(run_in(*narrow, "--batch-size", "8", "--batch-size", "1"))
    assert said == (
        "tribench: narrow cannot be trained in batches of 1: norm (BatchNorm) needs at least 2 "
        "samples"
    )


def test_a_layer_that_the_reference_lacks_is_told_once(tribench, torch_checkout):
    done = tribench(
        *("parity", "--task", "double,hinge", "--backend", "doubling", "--execution", "eager"),
        *("--json", "--quiet"),
        plugins=("layered",),
        root=torch_checkout,
    )
    assert done.returncode == 0, done.stderr
    results = {result["task"]: result for result in json.loads(done.stdout)["results"]}
    assert len(json.loads(done.stdout)["results"]) == len(results) == 2
    for task, lacks in (("double", "lowering of Double"), ("hinge", "loss Hinge")):
        assert results[task]["verdict"] == "not_supported"
        assert results[task]["reason"] == (
            f"the reference: numpy has no {lacks}; parity needs it in backends/numpy (see "
            "docs/extending.md#add-a-layer)"
        )


# Outputs


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with two runs."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("before", "after"):
        (folder / name).symlink_to(stored_sample(folder / f"of-{name}", label="Überlauf"))
    return folder


@pytest.mark.parametrize(
    ("encoding", "arguments", "words"),
    [
        (BARE, ("report", "before"), "(delta 5 %)"),
        (BARE, ("report", "before", "--site", "site"), "Index: site"),
        (ASCII, ("compare", "before", "after"), " -> "),
        (BARE, ("compare", "before", "after", "--json"), '"schema": "tribench/compare/1"'),
        (BARE, ("export", "before", "--format", "bencher"), '"throughput"'),
        (ASCII, ("publish", "before", "--check"), "before: may be published"),
        (BARE, ("list", "--backend", "numpy", "--task", "rnn-*"), " yes "),
        (ASCII, ("run", "--help"), "--launches"),
    ],
)
def test_every_command_speaks_ascii(
    encoding, arguments, words, runs, tribench, checkout, monkeypatch
):
    for name, value in encoding.items():
        monkeypatch.setenv(name, value)
    done = tribench(*arguments, folder=runs, root=checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert words in done.stdout
    assert done.stdout.isascii()
    assert "?" not in done.stdout, "a sign without words"


@pytest.mark.parametrize("arguments", [("compare", "before", "after"), ("list",)])
@pytest.mark.parametrize("where", ["full", "gone"])
def test_an_output_that_takes_nothing_is_no_regression(where, arguments, runs, checkout):
    command = [sys.executable, "-m", "suite", *arguments]
    if where == "full":
        output = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, output = os.pipe()
        os.close(reader)
    environment = command_environment(root=checkout)
    done = subprocess.run(
        command, cwd=runs, env=environment, stdout=output, stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    os.close(output)
    why = {"full": "No space left on device", "gone": "Broken pipe"}[where]
    assert done.stderr == f"tribench: standard output cannot be written: {why}\n"
    assert done.returncode == 2


def test_outputs_that_are_closed_are_no_files_of_the_run(runs, checkout):
    line = f"exec {sys.executable} -m suite report before >&- 2>&- <&-"
    page = runs / "before" / "page.html"
    page.unlink(missing_ok=True)
    done = subprocess.run(
        ["sh", "-c", line], cwd=runs, env=command_environment(root=checkout), check=False
    )
    assert done.returncode == 0
    assert page.read_text(encoding="utf-8").startswith("<!")
    assert session.read(runs / "before").damage == ()


# Folders


COMPILE = {
    "tensorflow": """
import tensorflow as tf
@tf.function(jit_compile=True)
def f(x):
    return tf.tanh(x @ x)
f(tf.ones((8, 8)))
""",
    "jax": """
import jax
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.jit(lambda x: jax.numpy.tanh(x @ x))(jax.numpy.ones((8, 8)))
""",
}


@pytest.mark.parametrize("framework", [*COMPILE])
def test_what_is_compiled_is_kept_in_folders_of_any_name(framework, real_installations, tmp_path):
    folder = tmp_path / "a b" / '"it\'s" back\\slash =,'
    interpreter = real_installations[framework].interpreter
    assert interpreter is not None
    environment = os.environ | own_cache(folder)
    subprocess.run([interpreter, "-c", COMPILE[framework]], env=environment, check=True)
    assert [path for path in folder.iterdir() if path.name != "inductor"]
    assert [path.name for path in (tmp_path).iterdir()] == ["a b"]


def test_a_checkout_where_pytorch_cannot_compile_is_told_by_list(checkout, tribench, tmp_path):
    """PyTorch gives paths to the compiler in a line that is parted at spaces."""
    copy = tmp_path / "my work"
    shutil.copytree(checkout, copy)
    (copy / ".nox").mkdir()
    (copy / ".nox" / "torch").symlink_to(ROOT / ".nox" / "torch")
    done = tribench("list", "--backend", "torch", "--task", "rnn-tiny", "--json", root=copy)
    assert done.returncode == 0, done.stderr
    runs = [run for run in json.loads(done.stdout)["runs"] if run["backend"] == "torch"]
    assert {run["execution"]: (run["status"], run["why"]) for run in runs} == {
        "eager": ("ok", None),
        "compiled": (
            "not_supported",
            "torch.compile cannot compile where the folder of PyTorch has a space, a quote or a "
            "backslash in its name: --python NAME=PATH takes an environment that lies elsewhere",
        ),
    }


PYTORCH = """
import json, os, tempfile, torch
from backends.base import NotSupported
from backends.torch import Backend

def compiled(**variables):
    kept = dict(os.environ)
    tempfile.tempdir = None
    os.environ.update(variables)
    try:
        Backend(execution="compiled")
    except NotSupported as why:
        return str(why)
    finally:
        os.environ.clear()
        os.environ.update(kept)

def switched(precision, switch):
    switch()
    backend = Backend(precision=precision)
    told = backend.facts(None)["tf32"]
    switch()
    return told, backend.facts(None)["tf32"]

def new():
    torch.backends.fp32_precision = "tf32"
    torch.backends.cudnn.conv.fp32_precision = "tf32"

def old():
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True

def half():
    torch.backends.cuda.matmul.fp32_precision = "tf32"

cxx, path, odd = FOUND
os.environ["OMP_NUM_THREADS"] = "1,2"
Backend()
print(json.dumps({
    "threads": torch.get_num_threads(),
    "found": compiled(),
    "none": compiled(PATH="/nowhere"),
    "named": compiled(PATH="/nowhere", CXX=cxx),
    "wrong": compiled(CXX="/nowhere/g++"),
    "temporary": compiled(TMPDIR=odd),
    "cache": compiled(TORCHINDUCTOR_CACHE_DIR=odd),
    "new": switched("float32", new),
    "old": switched("float32", old),
    "half": switched("float32", half),
    "legible": [torch.backends.cudnn.allow_tf32 for _ in [Backend()]],
}))
"""


def test_pytorch_finds_its_compiler_and_its_switches(real_installations, tmp_path):
    (tmp_path / "o'dd").mkdir()
    found = (shutil.which("g++"), str(ROOT), str(tmp_path / "o'dd"))
    interpreter = real_installations["torch"].interpreter
    assert interpreter is not None
    done = subprocess.run(
        [interpreter, "-c", PYTORCH.replace("FOUND", repr(found))],
        env={k: v for k, v in os.environ.items() if k != "CXX"} | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["threads"] == 1
    assert told["found"] is told["named"] is None
    need = "torch.compile needs a C++ compiler, and "
    assert told["none"] == f"{need}none is on the path: it takes g++, or the one that CXX names"
    assert told["wrong"].startswith(f"{need}CXX names none that runs")
    assert "the folder of temporary files has a space, a quote or a back" in told["temporary"]
    assert "the folder of TORCHINDUCTOR_CACHE_DIR has a space, a quote" in told["cache"]
    assert told["new"] == ["off", "matrix products off, convolutions on, recurrences off"]
    assert told["old"] == ["off", "on"]
    assert told["half"] == ["off", "matrix products on, convolutions off, recurrences off"]
    assert told["legible"] == [False]
