"""A file's arrays may take a hundred times its size, and a mebibyte."""

from __future__ import annotations

import pytest

from backends.weights import LEAST_BYTES, MOST_TIMES, Room


def test_a_file_has_room_for_what_it_can_hold(tmp_path):
    file = tmp_path / "some"
    file.write_bytes(bytes(10))
    room = Room.of(file)
    room.take("first", LEAST_BYTES)
    room.take("second", 10 * MOST_TIMES)
    with pytest.raises(ValueError, match="'third' unpacks to more than 100 times the file's size"):
        room.take("third", 1)


def test_less_than_nothing_is_refused():
    with pytest.raises(ValueError, match="unpacks to more"):
        Room(100).take("x", -1)
