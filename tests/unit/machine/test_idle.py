"""Idle cores are kept awake, and are set back."""

from __future__ import annotations

from contextlib import suppress

import pytest

from suite.machine import idle


@pytest.mark.parametrize(("before", "while_awake"), [("0\n", "200000"), ("50000\n", "50000\n")])
def test_idle_cores_are_kept_awake_where_they_would_be_given_back_at_once(
    before, while_awake, tmp_path, monkeypatch
):
    monkeypatch.setattr(idle, "SETTING", tmp_path / "guest_halt_poll_ns")
    idle.SETTING.write_text(before)
    with suppress(KeyboardInterrupt), idle.kept_awake():
        assert idle.SETTING.read_text() == while_awake
        assert idle.disclosed() == {"guest_halt_poll_ns": while_awake.strip()}
        raise KeyboardInterrupt
    assert idle.told() == int(before)


def test_idle_cores_that_cannot_be_told_to_stay_awake_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(idle, "SETTING", tmp_path / "none" / "guest_halt_poll_ns")
    with idle.kept_awake():
        assert (idle.told(), idle.disclosed()) == (None, {})


def test_idle_cores_stay_as_they_are_where_that_is_not_ours_to_set(tmp_path, monkeypatch):
    def refuse(self, text):
        raise PermissionError

    monkeypatch.setattr(idle, "SETTING", tmp_path / "guest_halt_poll_ns")
    idle.SETTING.write_text("0")
    monkeypatch.setattr(type(tmp_path), "write_text", refuse)
    with idle.kept_awake():
        assert idle.told() == 0
