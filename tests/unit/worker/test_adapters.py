"""Adapters of other packages, and packages that are broken."""

from __future__ import annotations

from suite.worker import adapters
from suite.worker.frameworks import KNOWN


def test_what_is_left_of_packages_is_no_version(tmp_path, monkeypatch):
    for name, text in (
        ("jaxlib-9.9", "Name: jaxlib\n"),
        ("jaxlib-1.0", "Name: jaxlib\nVersion: 1.0\n"),
        ("-axlib-0.9", ""),
        ("", ""),
    ):
        folder = tmp_path / f"{name}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(text)
    (tmp_path / ".dist-info" / "entry_points.txt").write_text("[tribench.backends]\nx = y:Z\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = [entry for entry in adapters.survey(wanted=("numpy",)) if entry["name"] == "numpy"]
    assert adapters._companions(KNOWN["jax"])["jaxlib"] == "1.0"
    assert {type(version) for version in found[0]["versions"].values()} == {str}
    assert adapters.targets()["x"] == "y:Z"


def test_a_package_that_cannot_be_read_hides_no_adapter(tmp_path, monkeypatch):
    for name, text in (("torn", "no equals sign"), ("whole", "[tribench.backends]\na = b:C")):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[other]\n{text}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert adapters.targets() == adapters.OURS | {"a": "b:C"}


def test_only_the_adapters_that_are_wanted_are_loaded(monkeypatch):
    loaded = []

    def load(name):
        loaded.append(name)
        raise ImportError(f"no {name}")

    monkeypatch.setattr(adapters, "load", load)
    found = {entry["name"]: entry["why"] for entry in adapters.survey(wanted=("num*", "jax"))}
    assert loaded == ["numpy", "jax"]
    assert found["jax"] == "ImportError: no jax"
    assert found["torch"] == found["tensorflow"] == "not asked for"
    assert {*adapters.targets()} == {*found}
