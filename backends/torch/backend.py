"""How PyTorch is set up: device, precision, threads, and what is compiled."""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

from backends.base import Arrays, NotSupported, formulas, threads_asked
from backends.torch import losses, optimizers
from backends.torch.layers import Layers
from backends.torch.optimizers import Moments, Tree
from backends.torch.program import Program
from tasks import spec
from tasks.base import Task

MOST_VARIANTS = 10_000  # of a compiled function
DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}
_NEW = hasattr(torch.backends, "fp32_precision")


class Backend(Layers):
    """PyTorch: eager, or through torch.compile."""

    name = "torch"
    framework = "torch"
    precisions = ("float64", "float32", "tf32", "bfloat16")
    executions = ("eager", "compiled")

    def __init__(
        self, *, device: str = "cpu", precision: str = "float32", execution: str | None = None
    ) -> None:
        super().__init__(device=device, precision=precision, execution=execution)
        if device == "cuda" and not torch.cuda.is_available():
            raise NotSupported("this PyTorch finds no CUDA device")
        if self.execution == "compiled":
            _check_compiler()
        self.target = torch.device(device, 0) if device == "cuda" else torch.device(device)
        self.dtype = DTYPES[self.stored]
        self.constants = {}
        _set_tf32(precision == "tf32")
        if (threads := threads_asked()) is not None:
            torch.set_num_threads(threads)
        if self.execution == "compiled":
            _always_compile()

    def build(self, task: Task, parameters: Arrays) -> Program:
        self.check(task)
        return Program(self, task, parameters)

    @formulas(losses.loss)
    def loss(
        self, loss: spec.Loss, logits: Tensor, targets: Tensor, valid: Tensor | None
    ) -> Tensor:
        return losses.loss(loss, logits, targets, valid)

    @formulas(optimizers.update)
    def update(
        self,
        optimizer: spec.Optimizer,
        step: int,
        parameters: Tree,
        gradients: Tree,
        state: Moments,
    ) -> tuple[Tree, Moments]:
        return optimizers.update(optimizer, step, parameters, gradients, state)

    def cast(self, array: Tensor, precision: str) -> Tensor:
        return array.to(DTYPES[precision]) if array.is_floating_point() else array

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as this execution runs it."""
        if self.execution == "eager":
            return function
        if self.target.type == "cpu":
            run: Callable[..., Any] = torch.compile(function, dynamic=False)
            return run
        # With CUDA graphs a training step of transformer-small takes 0.50 of the time, a prediction
        # 0.37 (bfloat16, torch 2.11, H100).
        run = torch.compile(function, dynamic=False, mode="reduce-overhead")
        return lambda *given: _kept(run(*given))

    def compilations(self) -> int | None:
        """How many graphs dynamo has made in this process; None where nothing is compiled."""
        if self.execution == "eager":
            return None
        from torch._dynamo.utils import counters

        return int(counters["stats"]["unique_graphs"])

    def facts(self, task: Task) -> dict[str, str]:
        """What this adapter does, for the reports."""
        return {
            "torch": torch.__version__,
            "build": _build(),
            "compiler": "none"
            if self.execution == "eager"
            else "torch.compile, inductor" + ", CUDA graphs" * (self.target.type == "cuda"),
            "image layout": "channels last",
            "recurrence": "torch.lstm and torch.gru, fused"
            if self.execution == "eager"
            else "unrolled where short, fused by inductor; else torch.lstm and torch.gru, "
            "outside of the graph",
            "attention": "torch.nn.functional.scaled_dot_product_attention",
            "optimizer": "torch.optim, fused",
            "threads": str(torch.get_num_threads()),
            "device": torch.cuda.get_device_name(self.target)
            if self.target.type == "cuda"
            else "cpu",
            "tf32": _tf32(),
        }

    def arithmetic(self) -> dict[str, str]:
        """ATen's instructions, and oneDNN's as it tells them itself."""
        told = {
            "instructions": f"ATen {torch.backends.cpu.get_cpu_capability()}",
            "float32 products": torch.get_float32_matmul_precision(),
            "threads between operations": str(torch.get_num_interop_threads()),
        }
        has_onednn = self.device == "cpu" and torch.backends.mkldnn.is_available()
        return told | (_onednn() if has_onednn else {})


@cache
def _onednn() -> dict[str, str]:
    """What oneDNN says of one small convolution (0.1 s). No function of PyTorch's tells it: where
    the environment left oneDNN no more than SSE4.1, all other facts were the same.
    """
    x, weight = torch.ones(1, 16, 8, 8), torch.ones(16, 16, 3, 3)
    with tempfile.TemporaryFile() as file, _printed_to(file.fileno()):
        with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON), torch.no_grad():
            torch.mkldnn_convolution(x, weight, None, (1, 1), (1, 1), (1, 1), 1)
        ctypes.CDLL(None).fflush(None)
        file.seek(0)
        text = file.read().decode(errors="replace")
    instructions = re.search(r",cpu,isa:([^\n]*)", text)  # told once in a process
    threads = re.search(r",nthr:(\d+)", text)
    used = re.search(r",cpu,convolution,([\w:]+),", text)
    mode = re.search(r"attr-fpmath:(\w+)", text)
    found = {
        "oneDNN instructions": instructions and instructions[1],
        "oneDNN threads": threads and threads[1],
        "oneDNN convolution": used and used[1],
        "oneDNN float32": mode[1] if mode else "strict" if used else None,
    }
    return {name: value for name, value in found.items() if value}


@contextmanager
def _printed_to(file: int) -> Iterator[None]:
    """Standard output goes into this file, what C prints too."""
    ctypes.CDLL(None).fflush(None)
    kept = os.dup(1)
    os.dup2(file, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _always_compile() -> None:
    """Dynamo runs a function uncompiled, and says so in the log alone, once 8 variants of it are
    there. All programs of a process share their functions, dropped ones too.
    """
    from torch._dynamo import config  # 2.6 s, which eager processes do without

    config.recompile_limit = config.accumulated_recompile_limit = MOST_VARIANTS
    config.fail_on_recompile_limit_hit = True


def _kept(result: Any) -> Any:
    """A copy: a CUDA graph writes the results of every call into the same memory."""
    if isinstance(result, dict):
        return {key: _kept(value) for key, value in result.items()}
    return tuple(map(_kept, result)) if isinstance(result, tuple) else result.clone()


def _check_compiler() -> None:
    """Raise NotSupported unless torch.compile can work here. It takes the compiler that CXX names,
    else g++, and gives it paths in a command line that it parts at spaces without quoting them.
    """
    usual = "clang++" if sys.platform == "darwin" else "g++"
    try:
        told = [os.environ.get("CXX", usual), "--version"]
        subprocess.run(told, capture_output=True, check=True)  # as torch._inductor asks it
    except (OSError, ValueError, subprocess.SubprocessError):
        if "CXX" in os.environ:
            why = "CXX names none that runs (a program alone, without options)"
        else:
            why = f"none is on the path: it takes {usual}, or the one that CXX names"
        raise NotSupported(f"torch.compile needs a C++ compiler, and {why}") from None
    elsewhere = "--python NAME=PATH takes an environment that lies elsewhere"
    for what, path, way in (
        ("PyTorch", torch.__file__, elsewhere),
        ("Python", sysconfig.get_path("include"), elsewhere),
        ("temporary files", tempfile.gettempdir(), "TMPDIR names another"),
        ("TORCHINDUCTOR_CACHE_DIR", os.environ.get("TORCHINDUCTOR_CACHE_DIR", ""), "unset it"),
    ):
        if _parted(path):
            raise NotSupported(
                f"torch.compile cannot compile where the folder of {what} has a space, a quote or "
                f"a backslash in its name: {way}"
            )


def _parted(path: str) -> bool:
    """Is this path something else after a command line was parted?"""
    try:
        return bool(path) and shlex.split(path) != [path]
    except ValueError:  # a quote that is not closed
        return True


def _set_tf32(on: bool) -> None:
    """For matrix products, convolutions and LSTMs; by default cuDNN uses it.

    PyTorch has two sets of switches (2.9 on). To read an old one raises where a new one says
    something else, and the new one holds: once ``fp32_precision`` was tf32, by an environment's own
    start or an adapter's, it stayed so for convolutions after ``allow_tf32 = False`` (2.13).
    """
    word = "tf32" if on else "ieee"
    if _NEW:
        torch.backends.fp32_precision = word
    torch.set_float32_matmul_precision("high" if on else "highest")
    torch.backends.cudnn.allow_tf32 = on
    if _NEW:
        onednn = torch.backends.mkldnn  # on the CPU
        for kind in (*_switches().values(), onednn.matmul, onednn.conv, onednn.rnn):
            kind.fp32_precision = word


def _tf32() -> str:
    """On or off; of each where they differ."""
    if not _NEW:
        switches = (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)
        return "on" if all(switches) else "off"
    found = {what: kind.fp32_precision == "tf32" for what, kind in _switches().items()}
    if len({*found.values()}) == 1:
        return "on" if all(found.values()) else "off"
    return ", ".join(f"{what} {'on' if on else 'off'}" for what, on in found.items())


def _switches() -> dict[str, Any]:
    """What says in which precision a GPU multiplies, by what for."""
    cudnn = torch.backends.cudnn
    return {
        "matrix products": torch.backends.cuda.matmul,
        "convolutions": cudnn.conv,
        "recurrences": cudnn.rnn,
    }


def _build() -> str:
    """What this PyTorch was built of, and for which processor its kernels are chosen."""
    parts = [f"git {str(torch.version.git_version)[:10]}", f"CUDA {torch.version.cuda or 'none'}"]
    parts += ["MKL"] * torch.backends.mkl.is_available()
    parts += ["oneDNN"] * torch.backends.mkldnn.is_available()
    return ", ".join([*parts, f"CPU kernels {torch.backends.cpu.get_cpu_capability()}"])
