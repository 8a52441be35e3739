"""Locks: who holds them, and what is said where they are refused."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from suite.store import directory
from suite.store.directory import StoreError
from suite.store.lock import Lock
from tests.fixtures.refusals import refusing


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EIO, errno.EACCES])
def test_a_lock_that_is_refused_is_nobodys(number, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Lock() as lock:
        lock.tell("/runs/of/one/that/has/ended")
    why = os.strerror(number)
    monkeypatch.setattr(fcntl, "flock", refusing(number))
    with pytest.raises(StoreError, match=f"cannot be locked: {why}; set TMPDIR to") as refused:
        Lock()
    assert "another" not in str(refused.value)
    with pytest.raises(StoreError, match=f"x cannot be locked: {why}; runs must lie on"):
        directory.create(tmp_path, "x")


def test_a_lock_keeps_no_name_of_who_has_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Lock() as lock:
        lock.tell(tmp_path / "odd\udcff")
        assert lock.path.read_bytes().endswith(b"/odd\xff")
        with pytest.raises(StoreError, match="odd\udcff"):
            Lock()
    assert lock.path.read_bytes() == b""


def test_the_machines_lock_says_who_holds_it(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Lock() as lock:
        lock.tell(Path("/runs/x"))
        with pytest.raises(StoreError, match=rf"\(process {os.getpid()}, /runs/x\)"):
            Lock()
    Lock().close()
