"""Messages in two languages: the split, the padding, and what is wrong with the packages."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from tasks.data import catalogues
from tasks.data.catalogues import CatalogueError, MessagePairs, divided, words
from tasks.data.pairs import BEGIN, END, SPECIAL, padded
from tasks.data.subwords import BYTES, learn

DATA = MessagePairs(steps=16, vocabulary=300, train=500, validation=40, test=80)


def test_sources_are_the_same_but_for_case_signs_and_spaces():
    assert words("&Save  as…") == words("Save As...") == words("Sa_ve as") == "save as"
    assert words("snake_case") != words("snake")
    assert words("Save") != words("Saved")


def test_a_source_is_in_one_part_alone():
    pairs = [(f"{word} {n}", f"mot {n}") for n in range(300) for word in ("Word", "word:", "&WORD")]
    parts = divided(pairs)
    keys = [words(source) for part in parts.values() for source, _ in part]
    assert len(keys) == len(set(keys)) == 300
    assert all(source.startswith("Word") for part in parts.values() for source, _ in part)
    assert 210 < len(parts["train"]) < 280
    assert len(parts["test"]) > len(parts["validation"]) > 0
    assert divided([*pairs, ("%", "%")]) == parts  # what has no words is left out


def test_the_real_sources_are_in_one_part_alone():
    parts = {name: {words(s) for s, _ in part} for name, part in _real().items()}
    assert not parts["train"] & parts["test"]
    assert not parts["train"] & parts["validation"]
    assert not parts["validation"] & parts["test"]


def _real() -> dict[str, list[tuple[str, str]]]:
    return divided(catalogues.texts())


def test_the_target_of_each_step_is_the_next_token_and_padding_is_left_out():
    found = padded([([5, 6], [7, 8, 9]), ([4], [])], 4, 2, CatalogueError)
    assert found.inputs["source"].tolist() == [[5, 6, END, END], [4, END, END, END]]
    assert found.inputs["target"].tolist() == [[BEGIN, 7, 8, 9], [BEGIN, END, END, END]]
    assert found.targets.tolist() == [[7, 8, 9, END], [END, -1, -1, -1]]
    assert found.valid["source"].sum(axis=1).tolist() == [2, 1]
    assert np.array_equal(found.valid["target"], found.targets >= 0)
    assert {array.dtype for array in found.inputs.values()} == {found.targets.dtype}
    with pytest.raises(CatalogueError, match="3 pairs of 4 tokens are asked for; there are 2"):
        padded([([5], [7]), ([4], [])], 4, 3, CatalogueError)


def test_parts_have_their_sizes_and_never_change():
    splits = DATA.load()
    for name, size in (("train", 500), ("validation", 40), ("test", 80)):
        part = getattr(splits, name)
        assert part.targets.shape == (size, 16)
        assert part.valid["source"].any(axis=1).all()
        assert max(ids.max() for ids in part.inputs.values()) < DATA.vocabulary
    digest = sha256(
        splits.train.inputs["source"].tobytes() + splits.test.targets.tobytes()
    ).hexdigest()
    assert digest.startswith("12661b4d9d728af4")


def test_tokens_are_learnt_from_the_training_part_alone():
    real = _real()
    texts = [text for pair in real["train"] for text in pair]
    subwords = learn(texts, DATA.vocabulary - SPECIAL - BYTES)
    part = DATA.load().train
    rows = zip(part.inputs["source"], part.valid["source"], strict=True)
    told = {subwords.text(row[there] - SPECIAL) for row, there in rows}
    assert len(told) == len(part)
    assert told <= {source for source, _ in real["train"]}


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(catalogues, "find_spec", lambda name: None)
    with pytest.raises(
        CatalogueError, match=r"pip install jupyterlab-language-pack-fr-FR==4\.5\.post3"
    ):
        catalogues.texts()


def test_other_catalogues_are_refused(monkeypatch, tmp_path):
    package = catalogues.PACKAGES[1]
    folder = tmp_path / package.folder
    folder.mkdir(parents=True)
    (folder / "messages.mo").write_bytes(b"other")
    found = type("Found", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(catalogues, "find_spec", lambda name: found)
    monkeypatch.setattr(catalogues, "PACKAGES", (package,))
    with pytest.raises(
        CatalogueError, match=r"the 1 catalogues in .* are others than those of Tra"
    ):
        catalogues.texts()


def test_the_name_tells_the_pairs():
    assert DATA.name == "messages in English and French, 500 x 16 of 300"
