"""Whether there is room for what is about to be written."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from suite import files


def test_too_little_room_is_told_before_work(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "temporary", lambda: tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=4.5e9))
    files.check_room(4_000_000_000, "parity")
    told = f"parity may take 17.5 GB of temporary files, and {tmp_path} has 4.5 GB free: set TMPDIR"
    with pytest.raises(files.NoRoom, match=told) as raised:
        files.check_room(17_500_000_000, "parity")
    assert raised.value.exit_code == 2
