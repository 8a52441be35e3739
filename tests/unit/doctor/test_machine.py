"""This machine can be read."""

from __future__ import annotations

from suite.doctor.findings import findings
from suite.doctor.machine import read


def test_this_machine_can_be_read(monkeypatch):
    for name in ("OMP_SCHEDULE", "ONEDNN_MAX_CPU_ISA", "TF_TOKEN_x"):
        monkeypatch.setenv(name, "SSE41")
    monkeypatch.setattr("suite.doctor.machine.SECONDS", 0.1)
    monkeypatch.setattr("suite.doctor.machine.CORES_SECONDS", 0.2)
    found = read()
    assert found.threads >= 1
    assert found.memory_bytes >= found.available_bytes > 0
    assert 0 < found.clock_seconds < 1e-4
    assert 0 <= found.slow_cores < 1
    assert {"OMP_SCHEDULE", "ONEDNN_MAX_CPU_ISA"} <= {*found.dropped}
    (told,) = [each.finding for each in findings(found) if each.name == "environment variables"]
    assert "ONEDNN_MAX_CPU_ISA" in told
    assert "TOKEN" not in told
    assert f"{found.dropped_others} that only begin like them" in told
