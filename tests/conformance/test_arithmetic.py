"""What a worker computes with, read back where the environment leaves it less than there is."""

from __future__ import annotations

import platform

import pytest

from backends.base import Backend
from suite.worker.environment import STOCK
from suite.worker.operations import OPERATIONS
from suite.worker.process import Worker, WorkerSettings
from suite.worker.workshop import Workshop

X86 = platform.machine() in ("x86_64", "AMD64")


@pytest.fixture
def arithmetic(real_installations, tmp_path):
    """Of a worker in the user's environment."""

    def ask(backend: str) -> dict[str, str]:
        arm = real_installations[backend]
        log, settings = tmp_path / f"{backend}.log", WorkerSettings(environment=STOCK)
        with Worker(arm.interpreter, log, settings=settings) as worker:
            execution = arm.adapter.executions[0]
            given = {"device": "cpu", "precision": "float32", "execution": execution}
            worker.call("start", backend=backend, **given)
            first, second = worker.call("arithmetic"), worker.call("arithmetic")
        assert first == second
        return first

    return ask


@pytest.mark.skipif(not X86, reason="instructions of another processor")
def test_instructions_and_modes_of_pytorchs_libraries_are_read_back(arithmetic, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = arithmetic("torch")
    assert found["instructions"].upper() == "ATEN DEFAULT"
    assert found["oneDNN instructions"] == "Intel SSE4.1"
    assert "sse41" in found["oneDNN convolution"]
    assert (found["oneDNN float32"], found["oneDNN threads"]) == ("bf16", "1")


@pytest.mark.skipif(not X86, reason="instructions of another processor")
def test_instructions_that_xla_compiles_for_are_read_back(arithmetic, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=SSE4_2")
    assert arithmetic("jax")["instructions"] == "XLA SSE4.2"


def test_an_adapter_that_cannot_tell_costs_nothing(arithmetic):
    assert arithmetic("numpy") == {}

    class Broken(Backend):
        def arithmetic(self):
            raise RuntimeError("mixed interfaces")

    workshop = Workshop(backend=Broken.__new__(Broken))
    told = {"instructions": "not told: RuntimeError: mixed interfaces"}
    assert OPERATIONS["arithmetic"](workshop) == told
