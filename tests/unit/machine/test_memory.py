"""The size of this process, and what it gives back."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not (sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim")), reason="of glibc"
)

FREED = """
import ctypes
from suite.machine import memory
memory.LARGE_BYTES = {limit} << 20
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
blocks = [libc.malloc(64 << 10) for _ in range(6400)]  # in the heap, where one above holds the rest
for block in blocks:
    ctypes.memset(block, 1, 64 << 10)
for block in blocks[:-1]:
    libc.free(block)
before = memory.resident_bytes()
memory.give_back()
print((before - memory.resident_bytes()) >> 20)
"""


@pytest.mark.parametrize(("limit", "least", "most"), [(100, 350, 450), (4096, -10, 10)])
def test_what_is_free_in_the_heap_of_a_large_process_is_given_back(limit, least, most):
    program = FREED.format(limit=limit)
    made = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert least <= int(made.stdout) <= most
