"""What ``--with`` asks for, and which environment it is."""

from __future__ import annotations

import pytest

from suite.worker.made import MakingError, folder_name, wanted


def test_a_name_and_requirements_parted_by_spaces():
    found = wanted("torch@old=torch==2.12.0 'numpy<3' --pre")
    assert found.name == "torch@old"
    assert found.words == ("torch==2.12.0", "numpy<3", "--pre")
    assert found.requirements == ("torch==2.12.0", "numpy<3")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("torch", "it must be NAME=REQUIREMENTS or NAME@LABEL=REQUIREMENTS"),
        ("=torch", "it must be NAME"),
        ("torch=", "it must be NAME"),
        ("to rch=torch", "it must be NAME"),
        ("torch@=torch", "it must be NAME"),
        ("torch='torch", "No closing quotation"),
        ("torch=torch --target /x", "pip's option --target cannot be given; -r, "),
        ("torch=torch -r", "-r needs a value"),
    ],
)
def test_what_is_none_is_told(value, said):
    with pytest.raises(MakingError, match=said) as caught:
        wanted(value)
    assert str(caught.value).startswith(f"--with {value}: ")


def test_what_may_be_told_has_no_address():
    words = "torch==2.12.0 mine@https://me:secret@host/mine.whl -i https://me:secret@host/simple"
    found = wanted(f"torch={words} --extra-index-url=https://x:y@z")
    assert found.shown == "torch==2.12.0"


def test_what_decides_what_is_installed_decides_which_it_is(tmp_path, monkeypatch):
    file = tmp_path / "needed.txt"
    file.write_text("torch==2.12.0")
    names = [folder_name(wanted("torch@a=torch==2.12.0"))]
    assert names == [folder_name(wanted("torch@b=torch==2.12.0"))]  # an arm's label does not
    names += [folder_name(wanted("torch=torch==2.13.0")), folder_name(wanted(f"torch=-r {file}"))]
    file.write_text("torch==2.13.0")
    names.append(folder_name(wanted(f"torch=-r {file}")))
    monkeypatch.setenv("PIP_CONSTRAINT", "some.txt")
    names.append(folder_name(wanted("torch=torch==2.13.0")))
    assert len(set(names)) == 5
    assert all(name.startswith("torch-") for name in names)
    file.unlink()
    with pytest.raises(MakingError, match=r"--with torch: .*needed\.txt cannot be read"):
        folder_name(wanted(f"torch=-r {file}"))
