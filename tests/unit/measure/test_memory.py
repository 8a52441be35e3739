"""The peak of a process shows what it allocated."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

ALLOCATES = """
import numpy as np
from suite.machine import memory
memory.reset_peak()
before = memory.peak_bytes()
block = np.ones(50_000_000, dtype=np.uint8)
print(memory.peak_bytes() - before)
"""


def test_allocated_memory_shows_in_the_peak():
    """In a process of its own: what others let go of meanwhile would hide it."""
    done = subprocess.run(
        [sys.executable, "-c", ALLOCATES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == pytest.approx(50_000_000, rel=0.1)
