"""Safetensors files: what was written is read, and what is damaged or hostile is one sentence."""

from __future__ import annotations

import json
import pickle
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from suite.weights.contents import WeightsError
from suite.weights.safetensors import encoded, read, read_parts

KINDS = ("float16", "float32", "float64", "int64", "int8", "uint8", "bool")
SOME = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.zeros(2)}


def file(header: object, data: bytes = b"") -> bytes:
    """A file with this header, whatever it says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(shape: object, begin: int, end: int, kind: str = "F32") -> dict[str, object]:
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


class Runs:
    """Whose pickle makes a file where it is unpickled."""

    def __init__(self, marker) -> None:
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
VALUES = st.sampled_from(KINDS).flatmap(
    lambda kind: arrays_of.arrays(kind, arrays_of.array_shapes(min_dims=0, max_dims=4, max_side=5))
)


@settings(max_examples=50)
@given(arrays=st.dictionaries(NAMES, VALUES, max_size=4), turned=st.booleans())
def test_what_is_written_is_read(tmp_path_factory, arrays, turned):
    arrays = {n: a.T if turned else a for n, a in arrays.items() if n != "__metadata__"}
    path = tmp_path_factory.mktemp("files") / "some.safetensors"
    path.write_bytes(encoded(arrays))
    found = read(path).arrays
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert np.array_equal(found[name], array, equal_nan=array.dtype.kind == "f")


def test_bfloat16_becomes_float32_without_loss(tmp_path):
    bits = np.array([0x3F80, 0xC000, 0x7F7F, 0x0001, 0xFF80], np.uint16)
    path = tmp_path / "some.safetensors"
    path.write_bytes(file({"x": entry([5], 0, 10, "BF16")}, bits.tobytes()))
    found = read(path)
    assert found.arrays["x"].dtype == np.float32
    assert found.arrays["x"][:2].tolist() == [1.0, -2.0]
    assert np.array_equal(found.arrays["x"].view(np.uint32) >> 16, bits)
    assert found.type_of("x") == "bfloat16"


HOSTILE = {
    "empty": b"",
    "a few bytes": b"abc",
    "header of 2^60 bytes": struct.pack("<Q", 1 << 60) + b"{}",
    "header longer than the file": struct.pack("<Q", 1000) + b"{}",
    "no JSON": file(b"not json at all"),
    "JSON of depth 100,000": file(b"[" * 100_000),
    "a list": file([1, 2]),
    "NaN in a shape": file(
        b'{"x": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 4]}}', b"1234"
    ),
    "negative shape": file({"x": entry([-1], 0, 4)}, b"1234"),
    "shape of 2^62": file({"x": entry([1 << 62, 4], 0, 4)}, b"1234"),
    "fewer bytes than the shape": file({"x": entry([2], 0, 4)}, b"1234"),
    "offsets behind the end": file({"x": entry([1], 0, 4)}, b""),
    "overlapping offsets": file({"x": entry([1], 0, 4), "y": entry([1], 2, 6)}, b"123456"),
    "a hole": file({"x": entry([1], 0, 4)}, b"12345678"),
    "a name twice": file(
        b'{"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},'
        b' "x": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}',
        b"12345678",
    ),
    "unknown type": file({"x": entry([1], 0, 4, "F33")}, b"1234"),
    "quarter bytes": file({"x": entry([4], 0, 4, "F8_E4M3")}, b"1234"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_whole_file_is_refused_in_a_sentence(tmp_path, case):
    path = tmp_path / "some.safetensors"
    path.write_bytes(HOSTILE[case])
    with pytest.raises(WeightsError) as refused:
        read(path)
    assert str(refused.value).startswith(str(path))
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 500


def test_every_truncated_file_is_refused(tmp_path):
    whole, path = encoded(SOME), tmp_path / "some.safetensors"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError):
            read(path)


@given(data=st.data())
def test_changed_bytes_are_read_or_refused(tmp_path_factory, data):
    whole = bytearray(encoded(SOME))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("files") / "some.safetensors"
    path.write_bytes(bytes(whole))
    with suppress(WeightsError):
        read(path)


def test_a_pickle_by_this_name_is_not_unpickled(tmp_path):
    path, marker = tmp_path / "some.safetensors", tmp_path / "marker"
    path.write_bytes(pickle.dumps(Runs(marker)))
    with pytest.raises(WeightsError, match="is no whole safetensors file"):
        read(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("path", "words"),
    [("", "is a folder"), ("nothing.safetensors", "is not there")],
)
def test_what_is_no_file_is_refused(tmp_path, path, words):
    with pytest.raises(WeightsError, match=words):
        read(tmp_path / path)


def test_a_device_is_not_read():
    with pytest.raises(WeightsError, match="is no regular file"):
        read(Path("/dev/zero"))


def parts(tmp_path, places: object) -> object:
    """Two files and an index that says so."""
    (tmp_path / "1.safetensors").write_bytes(encoded({"a.weight": SOME["a.weight"]}))
    (tmp_path / "2.safetensors").write_bytes(encoded({"a.bias": SOME["a.bias"]}))
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(places if isinstance(places, str) else json.dumps({"weight_map": places}))
    return index


def test_an_index_names_the_parts(tmp_path):
    index = parts(tmp_path, {"a.weight": "1.safetensors", "a.bias": "2.safetensors"})
    found = read_parts(index).arrays
    assert found.keys() == SOME.keys()
    assert all(np.array_equal(found[name], array) for name, array in SOME.items())


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ({"a.weight": "../1.safetensors"}, "is no name of a safetensors file beside it"),
        ({"a.weight": "/etc/passwd"}, "is no name of a safetensors file beside it"),
        ({"a.weight": 3}, "is no name of a safetensors file beside it"),
        ({"a.weight": "3.safetensors"}, r"3\.safetensors is not there"),
        ({"a.bias": "1.safetensors"}, r"says that 1\.safetensors has a\.bias, and it has not"),
        ({}, "it has no weight_map"),
        ("[1]", "it has no weight_map"),
        ("{", "is no index"),
        ("[" * 100_000, "is no index"),
        ("\udcff", "is no index"),
    ],
)
def test_an_index_that_leads_nowhere_is_refused(tmp_path, places, words):
    if places == "\udcff":
        index = parts(tmp_path, {})
        index.write_bytes(b"\xff\xfe")
    else:
        index = parts(tmp_path, places)
    with pytest.raises(WeightsError, match=words):
        read_parts(index)
