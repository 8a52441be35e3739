"""Hugging Face's format: a table of names, and numbers behind it. In one file, or in several that
an index names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from suite.engine.arrays import Arrays
from suite.weights.contents import Contents, WeightsError, refused, regular, shown

END, INDEX = ".safetensors", ".safetensors.index.json"
MOST_INDEX_BYTES = 64 << 20  # some 100 an array
KINDS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}


def read(path: Path) -> Contents:
    """Every array. NumPy has no bfloat16: it becomes float32, which holds all its values."""
    with refused(path, SafetensorError, what="is no whole safetensors file"):
        found = deserialize(regular(path).read_bytes())  # type: ignore[no-untyped-call]
    arrays, stored = dict[str, NDArray[Any]](), dict[str, str]()
    for name, each in found:
        kind = each["dtype"]
        if kind not in KINDS:
            raise WeightsError(f"{path} has {shown(name)} as {kind}; known are {', '.join(KINDS)}")
        array = np.frombuffer(each["data"], KINDS[kind]).reshape(each["shape"])
        if kind == "BF16":
            array = (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
            stored[name] = "bfloat16"
        arrays[name] = array
    return Contents(arrays=arrays, stored=stored)


def read_parts(path: Path) -> Contents:
    """Those of an index, which must lie beside it."""
    with refused(path, ValueError, RecursionError, what="is no index of safetensors files"):
        if regular(path).stat().st_size > MOST_INDEX_BYTES:
            raise ValueError(f"it has more than {MOST_INDEX_BYTES >> 20} MiB")
        places = json.loads(path.read_text("utf-8"))
        places = places.get("weight_map") if isinstance(places, dict) else None
        if not isinstance(places, dict) or not places:
            raise ValueError("it has no weight_map")
        for name in places.values():
            if not isinstance(name, str) or Path(name).name != name or not name.endswith(END):
                raise ValueError(f"{name!r} is no name of a safetensors file beside it")
    parts = {name: read(path.with_name(name)) for name in sorted(set(places.values()))}
    for name, part in places.items():
        if name not in parts[part].arrays:
            raise WeightsError(f"{path} says that {part} has {shown(name)}, and it has not")
    return Contents(
        arrays={name: parts[part].arrays[name] for name, part in places.items()},
        stored={n: parts[p].stored[n] for n, p in places.items() if n in parts[p].stored},
    )


def encoded(arrays: Arrays) -> bytes:
    """A file of these arrays. The library takes what lies in order: of a transposed array it would
    write the numbers in another order, without a word.
    """
    return save(
        {name: np.asarray(array, order="C") for name, array in arrays.items()},
        metadata={"format": "pt"},  # transformers refuses a file that says nothing
    )
