"""Arrays that travel as files."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest

from suite.engine import arrays
from suite.engine.arrays import read, write
from suite.files import WriteError

LARGE = np.arange(arrays.LARGE, dtype=np.float64).reshape(1024, -1)


def same(found: arrays.Arrays, wanted: arrays.Arrays) -> bool:
    return [*found] == [*wanted] and all(
        np.array_equal(found[name], array) and found[name].dtype == array.dtype
        for name, array in wanted.items()
    )


def test_what_is_written_is_read(tmp_path: Path):
    every = {
        "large": LARGE,
        "a/long.name": LARGE.astype(np.float32),
        "turned": LARGE.T,
        "ids": np.arange(300_000, dtype=np.int32),
        "small": np.eye(3),
        "number": np.array(2.5),
        "none": np.zeros((0, 4)),
        "mask": np.ones((2048, 1024), np.bool_),
    }
    assert same(read(write(tmp_path / "some.npz", every)), every)
    assert [file.name for file in tmp_path.iterdir()] == ["some.npz"]


def test_packed_arrays_are_read_too(tmp_path: Path):
    np.savez_compressed(tmp_path / "packed.npz", large=LARGE)
    assert same(read(str(tmp_path / "packed.npz")), {"large": LARGE})


def test_who_has_read_a_file_keeps_it_when_it_is_replaced_or_removed(tmp_path: Path):
    path = write(tmp_path / "some.npz", {"large": LARGE})
    before = read(path)
    write(path, {"large": -LARGE})
    after = read(path)
    Path(path).unlink()
    assert np.array_equal(before["large"], LARGE)
    assert np.array_equal(after["large"], -LARGE)


def test_large_arrays_are_for_reading_alone(tmp_path: Path):
    found = read(write(tmp_path / "some.npz", {"large": LARGE, "small": np.eye(3)}))
    with pytest.raises(ValueError, match="read-only"):
        found["large"][0] = 1
    found["small"][0] = 1


def test_many_arrays_of_many_files_keep_one_file_open_each(tmp_path: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    path = write(tmp_path / "some.npz", {f"{n}": LARGE[:256] for n in range(30)})
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(128, hard), hard))
    try:
        kept = [read(path) for _ in range(10)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(kept) == 10


def test_what_cannot_be_written_leaves_the_file_before_it(tmp_path: Path):
    path = write(tmp_path / "some.npz", {"small": np.eye(3)})
    with pytest.raises(WriteError):
        write(tmp_path / "missing" / "some.npz", {"small": np.eye(2)})
    assert same(read(path), {"small": np.eye(3)})


def test_a_write_that_fails_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    path = write(tmp_path / "some.npz", {"small": np.eye(3)})
    monkeypatch.setattr(arrays.np, "savez", full)
    with pytest.raises(WriteError, match="No space left"):
        write(path, {"small": np.eye(2)})
    assert [file.name for file in tmp_path.iterdir()] == ["some.npz"]
    assert same(read(path), {"small": np.eye(3)})
