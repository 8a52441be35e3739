"""Everything that needs a GPU, in one call of under 8 minutes: self-tests, parity in float32, TF32
and bfloat16, a TF32 switch that was left on, and a run with an A/A arm. Models of published size
are parts of their own, in a call each: ``--part resnet50``. For a machine that has
PyTorch and JAX in one interpreter and reaches no network; TensorFlow may be absent.

    python3 -m pip download --dest wheels --no-deps --only-binary=:all: --python-version 3.12 \\
        --platform manylinux_2_17_x86_64 --platform manylinux_2_28_x86_64 \\
        --requirement tests/studies/gpu/wheels.txt --constraint constraints.txt        # beforehand
    python3 tests/studies/gpu/check.py --wheels wheels --output OUT

OUT gets ``run.tar.gz``, the run directory, parity's pages, and what each part printed; the exit
code is 0 if all parts ended as they should. Of this interpreter the suite takes NumPy and SciPy,
which the frameworks bring; pyarrow is left out for its size, so that the tables are CSV alone. A
part that takes too long is interrupted, as by Ctrl-C, and the next begins: the run is then partial,
and can be resumed.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[3]
SWITCHED = ROOT / "tests" / "plugins" / "switched"
GRACE_SECONDS = 20  # from the interruption to the end
MISSING = "finds no"  # what an adapter says without its device


@dataclass(frozen=True)
class Part:
    """A command of tribench, how long it may take, with which code it should end, words that it
    should say, and the arms that this interpreter has.
    """

    name: str
    arguments: tuple[str, ...]
    seconds: float
    wanted: int = 0
    says: str = ""
    arms: tuple[str, ...] = ("torch", "jax")


ALL_SECONDS = 470  # a part gets what is left of them, if that is less than its own
TASKS = "cnn-tiny,cnn-small,rnn-*,gru-*,transformer-*,gpt-*,translation-*"  # without a download
PARITY = (
    *("parity", "--device", "cuda", "--task", TASKS),
    *("--precision", "float64,float32,tf32,bfloat16"),
)

# Parts of a step are done side by side: none of them measures times.
STEPS = (
    (
        Part("list", ("list", "--device", "cuda"), 60),
        Part(
            "TF32 left on",  # parity must tell: exit code 1
            (
                *("parity", "--device", "cuda", "--precision", "float32"),
                *("--backend", "*-switched", "--task", "cnn-tiny,transformer-tiny"),
            ),
            180,
            wanted=1,
            says="precision_loss",
            arms=("torch-switched", "jax-switched"),
        ),
        Part("parity of PyTorch", (*PARITY, "--backend", "torch", "--execution", "eager"), 240),
        Part("parity of JAX", (*PARITY, "--backend", "jax"), 260),
    ),
    (Part("self-tests", ("doctor", "--device", "cuda", "--launches", "0"), 40),),
    (
        Part(
            "run",
            (
                *("run", "--device", "cuda", "--task", "cnn-tiny", "--phase", "train"),
                *("--batch-size", "4096", "--precision", "bfloat16", "--execution", "compiled"),
                *("--backend", "torch,jax", "--aa", "torch", "--launches", "5", "--seeds", "0"),
            ),
            200,
        ),
    ),
)


def real(task: str, batch: int) -> Part:
    """The training of a model of published size, in the precision that it is trained in."""
    return Part(
        task,
        (
            *("run", "--device", "cuda", "--profile", "real", "--task", task, "--phase", "train"),
            *("--batch-size", str(batch), "--precision", "bfloat16", "--execution", "compiled"),
            *("--backend", "torch,jax", "--launches", "3"),
        ),
        ALL_SECONDS,
    )


# The batches of the published figures beside which they stand, or what 80 GB hold.
REAL = ((real("resnet50", 256),), (real("bert-base", 64),), (real("gpt2", 32),))


def coordinator(wheels: Path | None) -> Path:
    """An interpreter with what the suite needs: a fresh environment, or this one."""
    if wheels is None:
        return Path(sys.executable)
    folder = ROOT / ".nox" / "gpu"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    files = map(str, sorted(wheels.glob("*.whl")))
    install = (sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps")
    subprocess.run([*install, "--no-compile", "--target", str(packages), *files], check=True)
    theirs = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (packages / "parent.pth").write_text("\n".join(theirs) + "\n")
    return python


def done(part: Part, python: Path, output: Path, end: float) -> bool:
    """Do it, tell how it ended, and say whether as it should. What it prints goes to a file."""
    began, log = time.monotonic(), output / f"{part.name.replace(' ', '-')}.txt"
    code = ended(replace(part, seconds=min(part.seconds, end - began)), python, output, log)
    took, said = time.monotonic() - began, log.read_text(errors="replace")
    right = code == part.wanted and part.says in said and MISSING not in said
    told = "took too long" if code is None else f"exit code {code}"
    told += ", no device" if MISSING in said else ""
    print(f"{'ok  ' if right else 'FAIL'}  {part.name}: {told}, {took:.0f} s", flush=True)
    return right


def ended(part: Part, python: Path, output: Path, log: Path) -> int | None:
    """Its exit code; None if it took too long."""
    arms = [f"--python={name}={sys.executable}" for name in part.arms]
    written = {
        "run": ("--output", str(output / "runs")),
        "parity": ("--page", str(log.with_suffix(".html"))),
    }
    files = written.get(part.arguments[0], ())
    paths = os.pathsep.join(map(str, (ROOT, SWITCHED)))
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(python), "-m", "suite", *part.arguments, *arms, *files],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": paths, "COLUMNS": "160"},
            stdout=file,
            stderr=file,
        )
        try:
            return process.wait(part.seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            return None


def main() -> int:
    """Do all parts; 0 if they ended as they should."""
    usual = [part.name for step in STEPS for part in step]
    every = [*usual, *(part.name for step in REAL for part in step)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=Path, help="what the suite needs, if it is not here")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--part", action="append", choices=every)
    options = parser.parse_args()
    output = options.output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + ALL_SECONDS
    python, good, wanted = coordinator(options.wheels), True, options.part or usual
    for step in (*STEPS, *REAL):
        parts = [part for part in step if part.name in wanted]
        with ThreadPoolExecutor(max(1, len(parts))) as pool:
            good = all([*pool.map(lambda part: done(part, python, output, end), parts), good])
    runs = output / "runs"
    if runs.is_dir():
        with tarfile.open(output / "run.tar.gz", "w:gz") as archive:
            archive.add(runs, "runs")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
