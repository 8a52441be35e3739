"""What this process and others took of the cores."""

from __future__ import annotations

from suite.machine import noise


def test_a_busy_process_shows_in_its_noise():
    before = noise.read()
    while noise.read().cpu_seconds - before.cpu_seconds < 0.05:
        pass
    found = noise.between(before, noise.read())
    assert 0 < found["cpu_per_wall"] <= 1.05
