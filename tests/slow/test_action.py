"""The GitHub Action with two real versions of a framework, from nothing: some ten minutes."""

from __future__ import annotations

from pathlib import Path

from tests.fixtures.action import action

INPUTS = {
    "old": "jax==0.10.1",
    "new": "jax==0.10.2",
    "tasks": "rnn-tiny",
    "options": "--launches 3 --seeds 1",
}


def test_an_upgrade_of_jax_is_judged(tmp_path, monkeypatch):
    found = action(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for done in found.steps(INPUTS):
        assert done.returncode == 0, done.stderr
    told = found.summary.replace("\\", "")
    assert told.startswith("# jax==0.10.1 → jax==0.10.2")
    assert "| jax | 0.10.1 | 0.10.2 |" in told
    assert "| parity | rnn-tiny compiled float32 | same |  | same | same |" in told
    assert all(Path(path).exists() for path in found.outputs.values())
