"""Archives of arrays: what was written is read; objects, bombs and lies are refused."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from warnings import catch_warnings, simplefilter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from suite.weights.contents import WeightsError
from suite.weights.npz import encoded, read

VALUES = st.sampled_from(("float16", "float32", "float64", "int64", "bool")).flatmap(
    lambda kind: arrays_of.arrays(kind, arrays_of.array_shapes(min_dims=0, max_dims=3, max_side=4))
)


@settings(max_examples=50)
@given(
    arrays=st.dictionaries(
        st.from_regex(r"[a-z0-9./_-]{1,20}", fullmatch=True), VALUES, max_size=4
    ),
    turned=st.booleans(),
)
def test_what_is_written_is_read(tmp_path_factory, arrays, turned):
    arrays = {
        name: array.T if turned else array for name, array in arrays.items() if name != "file"
    }
    path = tmp_path_factory.mktemp("files") / "some.npz"
    path.write_bytes(encoded(arrays))
    found = read(path).arrays
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert np.array_equal(found[name], array, equal_nan=array.dtype.kind == "f")


def archive(*members: tuple[str, bytes], packed: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packed) as made, catch_warnings():
        simplefilter("ignore")  # of a name that is there twice
        for name, data in members:
            made.writestr(name, data)
    return file.getvalue()


def array(shape: str = "(2,)", kind: str = "<f4", data: bytes = b"12345678") -> bytes:
    """An .npy file with this header, whatever it says."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def objects() -> bytes:
    file = io.BytesIO()
    np.savez(file, x=np.array([{}, None], object))
    return file.getvalue()


PACKED = zipfile.ZIP_DEFLATED
HOSTILE = {
    "empty": (b"", "is no whole .npz file"),
    "no archive": (b"abc" * 100, "is no whole .npz file"),
    "objects": (objects(), "holds objects, which would have to be unpickled"),
    "a bomb": (
        archive(
            ("x.npy", array("(5000000,)", data=bytes(20_000_000))), packed=zipfile.ZIP_DEFLATED
        ),
        "unpacks to more than 100 times",
    ),
    "shape of 2^60": (archive(("x.npy", array(f"({1 << 60},)"))), "has 8 bytes"),
    "negative shape": (archive(("x.npy", array("(-2, -1)"))), "has 8 bytes"),
    "NaN in the shape": (archive(("x.npy", array("(nan,)"))), "is no whole .npz file"),
    "too few bytes": (archive(("x.npy", array("(3,)"))), "has 8 bytes"),
    "no array": (archive(("x.txt", b"abc")), "x.txt is no array"),
    "a name twice": (archive(("x.npy", array()), ("x.npy", array())), "x is there twice"),
    "code in the header": (
        archive(("x.npy", array("(__import__('os').getpid(),)"))),
        "is no whole .npz file",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_archive_of_numbers_is_refused_in_a_sentence(tmp_path, case):
    data, words = HOSTILE[case]
    path = tmp_path / "some.npz"
    path.write_bytes(data)
    with pytest.raises(WeightsError) as refused:
        read(path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_every_truncated_file_is_refused(tmp_path):
    whole, path = encoded({"x": np.arange(3.0), "y": np.zeros((2, 2))}), tmp_path / "some.npz"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError):
            read(path)


@settings(max_examples=100)
@given(data=st.data(), packed=st.sampled_from([zipfile.ZIP_STORED, PACKED, zipfile.ZIP_LZMA]))
def test_changed_bytes_are_read_or_refused(tmp_path_factory, data, packed):
    whole = bytearray(archive(("x.npy", array()), ("y.npy", array("(1, 2)")), packed=packed))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("files") / "some.npz"
    path.write_bytes(bytes(whole))
    with suppress(WeightsError):
        read(path)


@settings(max_examples=100)
@given(data=st.data())
def test_changed_headers_are_read_or_refused(tmp_path_factory, data):
    """In an archive whose checksum is right."""
    inner = bytearray(array())
    for _ in range(data.draw(st.integers(1, 3))):
        inner[data.draw(st.integers(0, 79))] = data.draw(st.integers(0, 127))
    path = tmp_path_factory.mktemp("files") / "some.npz"
    path.write_bytes(archive(("x.npy", bytes(inner))))
    with suppress(WeightsError):
        read(path)


def test_names_that_lead_elsewhere_are_names_and_no_paths(tmp_path):
    path = tmp_path / "some.npz"
    path.write_bytes(archive(("../../x.npy", array()), ("/etc/y.npy", array())))
    assert [*read(path).arrays] == ["../../x", "/etc/y"]
    assert [each.name for each in tmp_path.iterdir()] == ["some.npz"]
