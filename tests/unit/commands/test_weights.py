"""``tribench weights``: what is written, what is not, and the exit codes, without a framework."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer import Exit

from suite.commands.weights import command
from suite.plan.options import UsageError
from suite.store.directory import StoreError
from suite.weights.contents import WeightsError
from suite.weights.npz import encoded, read
from suite.weights.safetensors import read as read_safetensors
from tasks.models.catalogue import MODELS
from tasks.parameters import probe, probe_buffers

MODEL = MODELS["resnet50"].make(classes=3, blocks=(1, 1, 1, 1), width=2, size=64)
ARRAYS = probe(MODEL, 1) | probe_buffers(MODEL, 1)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "given.npz"
    path.write_bytes(encoded(ARRAYS))
    return path


def code(file, action="show", **options) -> int:
    """The exit code."""
    with pytest.raises(Exit) as ended:
        command(action, "resnet50", file, **{"source": "torchvision"} | options)
    return ended.value.exit_code


def test_a_look_writes_nothing(file, capsys):
    assert code(file) == 0
    assert "87 of 87 arrays" in capsys.readouterr().out
    assert [*file.parent.iterdir()] == [file]


def test_it_goes_to_another_format_and_back(file, capsys):
    there, back = file.with_name("there.safetensors"), file.with_name("back.npz")
    assert code(file, "export", target="torchvision", output=there) == 0
    assert code(there, "import", output=back, as_json=True) == 0
    assert read_safetensors(there).arrays.keys() == ARRAYS.keys()
    found = read(back).arrays
    assert all(np.array_equal(found[path], array) for path, array in ARRAYS.items())
    assert "Written" in capsys.readouterr().out


def test_what_is_missing_is_shown_and_not_written(file):
    file.write_bytes(encoded({path: a for path, a in ARRAYS.items() if path != "fc.bias"}))
    assert code(file) == 1
    made = file.with_name("made.npz")
    with pytest.raises(WeightsError, match=r"fc\.bias, which is fc\.bias of resnet50, is missing"):
        code(file, "import", output=made)
    assert not made.exists()


def test_an_output_that_is_there_stays_where_the_file_is_damaged(file):
    made = file.with_name("made.npz")
    made.write_bytes(b"before")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="is no whole"):
        code(file, "import", output=made)
    assert made.read_bytes() == b"before"


def test_an_output_that_cannot_be_is_refused_first(file):
    (file.parent / "x.npz").mkdir()
    with pytest.raises(StoreError, match="it is a folder"):
        code(file, "import", output=file.parent / "x.npz")


@pytest.mark.parametrize("size", ["classes", "=3", "classes=", "classes=-1", "classes=x", "a=1,,2"])
def test_a_size_that_is_none_is_refused(file, size):
    with pytest.raises(UsageError, match="it must be NAME=NUMBER or NAME=NUMBER,NUMBER"):
        code(file, size=[size])


def test_sizes_that_are_given_count(file):
    with pytest.raises(WeightsError, match=r"fc\.weight has the shape .* is of \(4, 64\)"):
        code(
            file,
            "import",
            size=["classes=4", "blocks=1,1,1,1"],
            output=file.with_name("made.npz"),
        )


@pytest.mark.parametrize(
    ("action", "options", "said"),
    [
        ("convert", {}, "weights cannot convert; it can show, import, export, check"),
        ("import", {}, "weights import needs --output"),
        ("export", {"output": "x.npz"}, "weights export needs --target, whose names"),
        ("import", {"output": "x.npz", "target": "keras"}, "--target is for export"),
        ("check", {"output": "x.npz"}, "--output is for import and export"),
        ("show", {"batch": "x.npz"}, "--batch is for check"),
    ],
)
def test_options_that_do_not_go_together_are_refused(file, action, options, said):
    with pytest.raises(UsageError, match=said):
        code(file, action, **{n: Path(v) if n != "target" else v for n, v in options.items()})
