"""Two sets of requirements become two arms of one backend."""

from __future__ import annotations

import pytest

from suite.plan import upgrade
from suite.plan.options import UsageError
from suite.plan.upgrade import pair, usual


@pytest.mark.parametrize(
    ("old", "new", "backend", "arms"),
    [
        ("torch==2.12.0", "torch==2.13.0", None, ("torch@2.12.0", "torch@2.13.0")),
        ("torch==2.12.0+cpu", "torch==2.13", None, ("torch@2.12.0-cpu", "torch@2.13")),
        ("jax==0.10.1 numpy<3", "jax==0.10.2", None, ("jax@0.10.1", "jax@0.10.2")),
        ("jaxlib==0.10.1", "jaxlib==0.10.2", None, ("jax@jaxlib-0.10.1", "jax@jaxlib-0.10.2")),
        ("keras==3.14", "keras==3.15", None, ("tensorflow@keras-3.14", "tensorflow@keras-3.15")),
        ("tensorflow-cpu==2.21", "tensorflow==2.21", None, ("tensorflow@old", "tensorflow@new")),
        ("numpy==1.26.4", "numpy==2.2.0", "torch", ("torch@numpy-1.26.4", "torch@numpy-2.2.0")),
        ("torch==2.13.0", "torch==2.13.0", None, ("torch@old", "torch@new")),
        ("torch>=2.12", "torch~=2.13", None, ("torch@old", "torch@new")),
        ("torch==2.*", "torch==2.13.0", None, ("torch@old", "torch@new")),
        ("a-1-py3-none-any.whl", "./b/a-2-py3-none-any.whl", "mine", ("mine@a-1", "mine@a-2")),
        ("./folder", "git+https://h/x", "mine", ("mine@old", "mine@new")),
    ],
)
def test_arms_are_called_by_the_versions_that_differ(old, new, backend, arms):
    assert pair(old, new, backend, "cpu").names == arms


def test_what_the_backend_needs_beside_them_is_added():
    found = pair("numpy==1.26.4", "numpy==2.2.0", "torch", "cpu")
    torch = next(str(each) for each in usual("torch", "cpu") if each.name == "torch")
    assert {*found.base.words} == {"numpy==1.26.4", *split(torch)}
    assert found.base.words[0] == "numpy==1.26.4"
    assert found.upgrade.requirements == ("numpy==1.26.4", "numpy==2.2.0")
    alone = pair("torch==2.12.0", "torch==2.13.0", None, "cpu")
    assert alone.new.words == ("torch==2.13.0", "numpy>=1.26")
    assert pair("mine==1", "mine==2", "mine", "cpu").base.words == ("mine==1",)


def split(requirement):
    """As pip is given it: one word."""
    return [requirement.replace(" ", "")]


def test_on_a_gpu_what_is_given_keeps_the_extras_that_bring_its_build():
    found = pair("jax==0.10.1", "jax==0.10.2", None, "cuda")
    assert found.base.words == ("jax==0.10.1", "numpy>=1.26", "jax[cuda13]")
    cpu = pair("jax==0.10.1", "jax==0.10.2", None, "cpu")
    assert cpu.base.words == ("jax==0.10.1", "numpy>=1.26")


def test_the_installed_package_tells_its_extras_as_the_checkout_does(monkeypatch):
    class Installed:
        name = "tribench"
        requires = (
            "rich>=13",
            "numpy>=1.26; extra == 'torch'",
            "torch<2.16,>=2.11; extra == 'torch'",
            "jax>=0.10; extra == 'jax'",
        )

    told = {str(each.name): str(each.specifier) for each in usual("torch", "cpu")}
    monkeypatch.setattr(upgrade, "installed", lambda: [Installed()])
    assert {str(e.name): str(e.specifier) for e in usual("torch", "cpu")} == told
    assert usual("mine", "cpu") == []


def test_requirements_stand_in_files(tmp_path):
    (tmp_path / "more.txt").write_text("numpy==2.2.0\n")
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text("# ours\ntorch==2.12.0  # pinned\n-r more.txt\n--no-index\n")
    new.write_text("torch==2.13.0\n")
    found = pair(str(old), f"-r {new}", None, "cpu")
    assert found.names == ("torch@2.12.0", "torch@2.13.0")
    assert found.base.words == ("-r", str(old))
    assert found.new.words == ("-r", str(new), "numpy>=1.26")
    assert found.upgrade.requirements == ("-r old.txt", "-r new.txt")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("numpy==1", "numpy==2", "numpy belong to no backend that is known; name one by --backend"),
        ("torch==1", "jax==2", "torch, jax belong to torch and jax; name one by --backend"),
        ("./folder", "./folder", "these requirements belong to no backend"),
        ("", "torch", r"OLD \(\): it must have a requirement"),
        ("torch", "torch 'x", r"NEW \(torch 'x\): No closing quotation"),
        ("torch", "torch --target x", "pip's option --target cannot be given"),
        ("torch", "none.txt", "the requirements of none.txt cannot be read: "),
    ],
)
def test_what_is_no_upgrade_is_told(old, new, said):
    with pytest.raises(UsageError, match=said):
        pair(old, new, None, "cpu")
