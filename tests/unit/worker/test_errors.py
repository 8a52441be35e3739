"""Errors in words."""

from __future__ import annotations

import errno

import pytest

from suite.worker.errors import described


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (MemoryError(), "out of memory", "MemoryError: no message"),
        (
            RuntimeError("first\nDefaultCPUAllocator: can't allocate memory\nlast"),
            "out of memory",
            "RuntimeError: DefaultCPUAllocator: can't allocate memory",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "WriteError",
            "[Errno 28] No space left",
        ),
        (OSError(errno.ENOENT, "No such file"), "FileNotFoundError", "[Errno 2] No such file"),
        (ValueError("bad \udcff " + "x" * 1000), "ValueError", "bad ? xx"),
        (KeyError("memory"), "KeyError", "'memory'"),
    ],
)
def test_errors_in_words(error, kind, message):
    found = described(error)
    assert found[0] == kind
    assert found[1].startswith(message)
    assert len(found[1]) <= 520
    found[1].encode()
