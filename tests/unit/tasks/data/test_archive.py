"""Files of archives, and what is told of damaged ones."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from tasks.data.archive import tar_files, zip_file
from tests.fixtures.published_files import packed


def test_wanted_files_alone_are_read_and_links_are_not_followed(tmp_path):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        link = tarfile.TarInfo("./a.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name in ("./b.txt", "c.txt", "d.csv"):
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(name[-5:-4].encode()))
    (tmp_path / "a.tar.gz").write_bytes(held.getvalue())
    found = tar_files(tmp_path / "a.tar.gz", lambda name: name.endswith(".txt"), ValueError)
    assert dict(found) == {"b.txt": b"b", "c.txt": b"c"}


@pytest.mark.parametrize(
    "content",
    [b"", b"odd", packed({"a": b"x" * 9999})[:-20], b"\x1f\x8b\x08"],
    ids=["empty", "odd", "cut", "begun"],  # two processes pack at different times
)
def test_what_is_no_whole_tar_is_told(content, tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(KeyError, match=r"a\.tar\.gz is not a whole archive: .*; get it again"):
        dict(tar_files(tmp_path / "a.tar.gz", lambda name: True, KeyError))


def test_what_is_no_whole_zip_is_told(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", "x" * 99)
    assert zip_file(path, "a", ValueError) == b"x" * 99
    with pytest.raises(LookupError, match=r"a\.zip has no file b"):
        zip_file(path, "b", LookupError)
    whole = path.read_bytes()
    for content in (b"", whole[:-9], whole.replace(b"K\x03\x04", b"K\x03\x05", 1)):
        path.write_bytes(content)
        with pytest.raises(LookupError, match=r"a\.zip is not a whole archive"):
            zip_file(path, "a", LookupError)
