"""What the kernel tells in files."""

from __future__ import annotations

from suite.machine.kernel import number, text


def test_the_first_file_that_has_a_number_counts(tmp_path):
    files = [tmp_path / name for name in ("none", "max", "limit", "other")]
    for file, content in zip(files[1:], ("max\n", " 42\n", "7\n"), strict=True):
        file.write_text(content)
    assert text(files[0]) is None
    assert text(files[1]) == "max"
    assert number(*files) == 42
    assert number(*files[:2]) is None
