"""Messages between coordinator and worker."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.worker.channel import MOST_BYTES, Channel, Closed, Garbled, Silent


def channels() -> tuple[Channel, int]:
    read, write = os.pipe()
    return Channel(read, os.open(os.devnull, os.O_WRONLY)), write


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_reason(content):
    channel, write = channels()
    os.write(write, content)
    os.close(write)
    try:
        found = channel.receive(1)
    except (Garbled, Closed) as why:
        found = why
    assert isinstance(found, dict | Closed) or (isinstance(found, Garbled) and str(found))
    channel.close()


def test_messages_come_one_by_one():
    channel, write = channels()
    os.write(write, b'{"a": NaN}\n{"b"')
    assert str(channel.receive(1)) == "{'a': nan}"
    with pytest.raises(Silent):
        channel.receive(0.01)
    os.write(write, b": 2}\n")
    assert channel.receive(1) == {"b": 2}
    os.close(write)
    with pytest.raises(Closed):
        channel.receive(1)
    channel.close()


def test_the_longest_message_is_far_from_the_limit():
    losses = {"value": {"losses": [1 / 3] * 10_000, "seconds": 1.0}}
    assert len(json.dumps(losses)) < MOST_BYTES / 50
