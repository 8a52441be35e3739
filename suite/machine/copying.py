"""How fast the processor copies memory. Standard library and NumPy only: runs in the worker."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np


def copy_seconds(size_bytes: int, repeats: int, threads: int) -> list[float]:
    """Seconds that each of ``repeats`` copies of an array takes, a slice for each thread; NumPy
    lets go of the interpreter's lock. Both arrays were written before: where the system has to
    find fresh pages for the result, a shared 2-core machine copied with 2 GB/s in place of 18.
    """
    source = np.ones(size_bytes // 8)
    target = np.zeros_like(source)
    target.fill(0.0)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    found = []
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda part: np.copyto(*part), parts))
        for _ in range(repeats):
            began = time.perf_counter()
            list(pool.map(lambda part: np.copyto(*part), parts))
            found.append(time.perf_counter() - began)
    return found
