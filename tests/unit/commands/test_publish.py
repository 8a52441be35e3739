"""``tribench publish --check``: all that is wrong is told, and nothing is copied."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer import Exit

from suite.commands.publish import command
from suite.plan.options import UsageError
from suite.run import session
from suite.store import directory, publish
from suite.store.seal import DATA, SEAL
from tests.fixtures.stored_run import stored_sample


def checked(*runs: Path) -> int:
    """The exit code of ``--check``."""
    with pytest.raises(Exit) as ended:
        command(list(runs), check=True)
    return ended.value.exit_code


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    run = session.read(stored_sample(tmp_path_factory.mktemp("whole")))
    return publish.publish(run, tmp_path_factory.mktemp("published"))


def test_check_tells_all_that_is_wrong_and_copies_nothing(published, tmp_path, capsys):
    place = tmp_path / "published" / published.name
    shutil.copytree(published, place)
    assert checked(place) == 0
    assert capsys.readouterr().out == f"{place}: may be published\n"
    (place / "extra.exe").write_bytes(b"")
    (place / "link.json").symlink_to("/etc/passwd")
    (place / SEAL).unlink()
    (place / "summary.json").write_bytes(b"")
    (place.parent / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    assert checked(place, place.parent / "empty") == 1
    said = capsys.readouterr().out
    for told in (
        f"{place}: it has extra.exe, which no run has",
        f"{place}: link.json is a link",
        f"{place}: it has no SHA256SUMS",
        "summary.json is damaged: it is empty",
        f"{place.parent / 'empty'} is no run",
    ):
        assert told in said
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(UsageError, match="is no folder"):
        command([tmp_path / "nothing"], check=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.data())
def test_no_changed_byte_of_a_published_run_is_overlooked(published, tmp_path, data):
    place = tmp_path / directory.new_id() / published.name
    shutil.copytree(published, place)
    file = place / data.draw(st.sampled_from([SEAL, *DATA]))
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    file.write_bytes(bytes(content))
    assert checked(place) == 1
