"""A file's arrays become a model: its sizes, prefixes, second names; what is not the model's."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.plan.options import UsageError
from suite.weights.checkpoint import look, table
from suite.weights.contents import Contents, WeightsError
from tasks.models.catalogue import MODELS
from tasks.models.names import to_theirs
from tasks.models.tables import TABLES
from tasks.parameters import probe, probe_buffers

TEXT = {"blocks": 2, "width": 8, "vocabulary": 11}
ROWS = TEXT | {"rows": 9, "steps": 7}
STAGES = {"classes": 3, "blocks": (2, 1, 1, 1), "width": 2, "size": 64}
SIZES = {  # of twins that no published model has
    "resnet50": STAGES,
    "resnet50-v1": STAGES,
    "vgg16": {"classes": 3, "width": 1, "hidden": 4},
    "inception-v3": {"classes": 3, "width": 1, "size": 139},
    "inception-v3-keras": {"classes": 3, "width": 1, "size": 139},
    "vit-b16": {"classes": 3, "width": 8, "patch": 4, "layers": 2, "hidden": 12, "size": 12},
    "bert-base": ROWS | {"steps": 9, "hidden": 12, "types": 3},
    "bert-classifier": ROWS | {"steps": 9, "hidden": 12, "types": 3, "classes": 5},
    "roberta-base": ROWS | {"hidden": 12},
    "roberta-classifier": ROWS | {"hidden": 12, "classes": 5},
    "gpt2": ROWS | {"steps": 9},
    "llama-125m": TEXT | {"hidden": 12, "steps": 32},
    "transformer-base": TEXT | {"hidden": 12},
}
SIZES["vit-b16-transformers"] = SIZES["vit-b16"]
GIVEN = {"heads": 2, "key_value_heads": 1}
EVERY = [(library, model) for library, models in TABLES.items() for model in models]


def untold(name: str) -> dict[str, int]:
    """What a user gives."""
    return {size: GIVEN[size] for size in MODELS[name].untold}


def model(name: str):
    return replace(MODELS[name].make(**SIZES[name], **untold(name)), name=name)


def contents(library: str, name: str, **more: np.ndarray) -> Contents:
    """A twin's arrays as the library names them, and more."""
    made = model(name)
    own = probe(made, 1) | probe_buffers(made, 1)
    arrays = {path: array.astype(np.float32) for path, array in own.items()}
    return Contents(arrays=to_theirs(table(library, name), arrays) | more)


def seen(library: str, name: str, found: Contents, **more):
    return look(found, name, library, untold(name), **more)


@pytest.mark.parametrize(("library", "name"), EVERY + [("tribench", name) for name in SIZES])
def test_arrays_tell_the_sizes(library, name):
    found = seen(library, name, contents(library, name))
    assert found.found.whole
    assert found.sizes == SIZES[name] | untold(name)
    assert found.model.parameters().keys() | found.model.buffers().keys() == found.whole().keys()
    assert found.model == model(name)


@settings(max_examples=20)
@given(pair=st.sampled_from(EVERY), to=st.sampled_from(["tribench", *TABLES]))
def test_a_model_goes_to_another_library_and_comes_back(pair, to):
    library, name = pair
    if to != "tribench" and name not in TABLES[to]:
        to = library
    first = seen(library, name, contents(library, name)).whole()
    there = to_theirs(table(to, name), first)
    back = seen(to, name, Contents(arrays=there)).whole()
    assert back.keys() == first.keys()
    assert all(np.array_equal(back[path], array) for path, array in first.items())


@pytest.mark.parametrize("prefix", ["module.", "model_state_dict.", "model.module."])
@pytest.mark.parametrize(("library", "name"), EVERY)
def test_what_stands_before_every_name_is_taken_off(library, name, prefix):
    arrays = contents(library, name).arrays
    found = seen(library, name, Contents(arrays={prefix + n: a for n, a in arrays.items()}))
    assert found.taken_off == prefix
    assert found.found.whole


def test_what_does_not_stand_before_them_and_should_is_put_on():
    arrays = contents("transformers", "gpt2").arrays
    bare = {name.removeprefix("transformer."): array for name, array in arrays.items()}
    found = seen("transformers", "gpt2", Contents(arrays=bare))
    assert found.put_on == "transformer."
    assert found.found.whole


def test_a_bare_model_lacks_its_head():
    arrays = contents("transformers", "bert-base").arrays
    bare = {n.removeprefix("bert."): a for n, a in arrays.items() if n.startswith("bert.")}
    found = seen("transformers", "bert-base", Contents(arrays=bare))
    assert found.put_on == "bert."
    assert {name.split(".")[0] for name in found.found.missing.values()} == {"cls"}
    with pytest.raises(WeightsError, match=r"cls\.predictions\.transform.* is missing, and 4 more"):
        found.whole()


def test_names_of_older_files_are_known():
    arrays = contents("transformers", "bert-base").arrays
    ends = (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"))
    for now, once in ends:
        arrays = {name.replace(now, once): array for name, array in arrays.items()}
    assert any("gamma" in name for name in arrays)
    assert seen("transformers", "bert-base", Contents(arrays=arrays)).found.whole


def test_what_is_left_over_can_be_left_out():
    more = {"bert.pooler.dense.weight": np.zeros((8, 8)), "other": np.zeros(1)}
    given_ = contents("transformers", "bert-base", **more)
    assert set(seen("transformers", "bert-base", given_).found.left) == {*more}
    found = seen("transformers", "bert-base", given_, leave_out=("*pooler*", "oth?r"))
    assert set(found.left_out) == {*more}
    assert found.found.whole


def test_another_number_of_heads_is_asked_for():
    with pytest.raises(UsageError, match="of width 8: its arrays do not tell heads; give --size"):
        look(contents("transformers", "bert-base"), "bert-base", "transformers", {})


def without(found: Contents, *names: str) -> Contents:
    return Contents(arrays={n: a for n, a in found.arrays.items() if n not in names})


def changed(found: Contents, name: str, array: np.ndarray) -> Contents:
    return Contents(arrays=found.arrays | {name: array})


RESNET = contents("torchvision", "resnet50")
FAULTS = {
    "missing": (
        without(RESNET, "bn1.bias"),
        "bn1.bias, which is bn1.bias of resnet50, is missing",
    ),
    "left over": (changed(RESNET, "fc2.bias", np.zeros(3)), "fc2.bias is nothing that resnet50"),
    "shape": (
        changed(RESNET, "bn1.bias", np.zeros(5, np.float32)),
        r"bn1.bias has the shape \(5,\); bn1.bias is of \(2,\)",
    ),
    "path": (changed(RESNET, "../../x", np.zeros(1)), r"\.\./\.\./x is nothing that resnet50"),
    "terminal": (changed(RESNET, "x\x1b[2J\n", np.zeros(1)), r"^x \[2J is nothing"),
    "integers": (
        changed(RESNET, "bn1.bias", np.zeros(2, np.int8)),
        "bn1.bias is stored as int8; allowed are bfloat16, float16, float32, float64",
    ),
    "no classes": (
        changed(RESNET, "fc.weight", np.zeros((0, 64), np.float32)),
        "resnet50 cannot have classes=0",
    ),
    "number for an array": (
        changed(RESNET, "conv1.weight", np.float32(1).reshape(())),
        "conv1.weight has the shape",
    ),
    "nothing": (Contents(arrays={}), "nothing of resnet50 by the names of torchvision"),
    "another model": (
        contents("transformers", "bert-base"),
        "nothing of resnet50 by the names of torchvision: not even conv1.weight",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_not_the_model_is_named_in_a_sentence(case):
    found, words = FAULTS[case]
    with pytest.raises(WeightsError, match=words) as refused:
        look(found, "resnet50", "torchvision", {}).whole()
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


@settings(max_examples=20)
@given(data=st.data())
def test_arrays_of_any_shape_are_refused_or_the_models(data):
    """Nothing but a WeightsError, whatever the first arrays of a file look like."""
    library, name = data.draw(st.sampled_from(EVERY))
    found = contents(library, name)
    for key in islice(found.arrays, 3):
        shape = data.draw(st.lists(st.integers(0, 5), max_size=5))
        found = changed(found, key, np.zeros(shape, np.float32))
    with suppress(WeightsError, UsageError):
        seen(library, name, found).whole()


@pytest.mark.parametrize(
    ("library", "name", "words"),
    [
        ("torchvision", "resnet-51", "no model 'resnet-51'; there are resnet50, "),
        ("timm", "resnet50", "no library 'timm'; there are tribench, torchvision, "),
        ("keras", "resnet50", "keras has no resnet50; of its models there are resnet50-v1"),
    ],
)
def test_what_has_no_table_is_refused(library, name, words):
    with pytest.raises(UsageError, match=words):
        table(library, name)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"depth": 3}, "resnet50 has no size 'depth'; there are size, classes, blocks, width"),
        ({"blocks": 3}, "--size blocks of resnet50 takes comma lists"),
        ({"classes": (3, 4)}, "--size classes of resnet50 takes one number"),
    ],
)
def test_sizes_that_no_such_model_has_are_refused(sizes, words):
    with pytest.raises(UsageError, match=words):
        look(RESNET, "resnet50", "torchvision", sizes)


def test_what_is_not_finite_is_told():
    found = changed(RESNET, "bn1.bias", np.array([1, np.nan], np.float32))
    assert look(found, "resnet50", "torchvision", {}).not_finite == ["bn1.bias"]
