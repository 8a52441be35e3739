"""A download that breaks off, from a real server."""

from __future__ import annotations

import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tasks.data.download import CHUNK, found

CONTENT = bytes(range(256)) * 4000
CHECKSUM = f"sha256:{sha256(CONTENT).hexdigest()}"


def rest(start):
    """What asks for all from there on."""
    return f"bytes={start}-"


class Server(HTTPServer):
    """Breaks off after ``most`` bytes of an answer; ``ranges`` are what was asked for. It gives the
    rest of a file where it is ``able`` to.
    """

    def __init__(self, most, able=True):
        super().__init__(("127.0.0.1", 0), Handler)
        self.most, self.able, self.ranges = most, able, []
        self.url = f"http://127.0.0.1:{self.server_port}/some.bin"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        start = int(asked[len("bytes=") : -1]) if asked and self.server.able else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : start + self.server.most])

    def log_message(self, *arguments):
        pass


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """The user's cache folder; waiting between tries is left out."""
    monkeypatch.delenv("TRIBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return tmp_path / "tribench"


def test_it_goes_on_where_it_stopped(cache):
    with Server(most=6 * CHUNK + 9) as server:
        path = found(server.url, CHECKSUM, ValueError)
        assert path.read_bytes() == CONTENT
        assert server.ranges == [None, rest(6 * CHUNK), rest(12 * CHUNK)]
        assert [file.name for file in cache.iterdir()] == [path.name]
        assert found(server.url, CHECKSUM, ValueError) == path
        assert len(server.ranges) == 3


def test_another_day_it_goes_on_too(cache):
    with Server(most=4 * CHUNK + 9) as server:
        with pytest.raises(
            ValueError, match=r"cannot be downloaded .*; try again, or put some\.bin"
        ):
            found(server.url, CHECKSUM, ValueError)
        assert (cache / "some.bin.part").stat().st_size == 12 * CHUNK
        assert found(server.url, CHECKSUM, ValueError).read_bytes() == CONTENT
        assert server.ranges[-1] == rest(12 * CHUNK)


def test_a_server_that_gives_no_rest_gives_the_whole(cache):
    cache.mkdir()
    (cache / "some.bin.part").write_bytes(CONTENT[:1000])
    with Server(most=len(CONTENT), able=False) as server:
        assert found(server.url, CHECKSUM, ValueError).read_bytes() == CONTENT


@pytest.mark.parametrize("left", [b"x" * 1000, CONTENT + b"more", CONTENT])
def test_what_is_left_of_another_file_is_thrown_away(left, cache):
    cache.mkdir()
    (cache / "some.bin.part").write_bytes(left)
    with Server(most=len(CONTENT)) as server:
        assert found(server.url, CHECKSUM, ValueError).read_bytes() == CONTENT
        assert len(server.ranges) == (1 if left == CONTENT else 2)
    assert [file.name for file in cache.iterdir()] == ["some.bin"]
