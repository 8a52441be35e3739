"""CIFAR-10 from a folder, an archive and a server; what is broken is one error that names it."""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest

from suite.engine.inputs import InputsError, TaskInputs
from suite.plan import catalogue
from suite.plan.plan import pick_tasks
from tasks.data import cifar10
from tasks.data.cifar10 import Cifar10
from tasks.data.cifar10_batch import Cifar10Error, read_batch
from tasks.data.split import every_tenth
from tests.fixtures.cifar10_files import (
    FILES,
    FOLDER,
    TRAIN,
    archive,
    batches,
    python2,
    write_folder,
)

TASKS = catalogue.tasks()


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch, tmp_path):
    """No cache, folder or proxy but the test's own, and no waiting between attempts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("TRIBENCH_DATA", raising=False)
    monkeypatch.setattr(pooch.core.time, "sleep", lambda seconds: None)
    cifar10._load.cache_clear()


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A local folder of small files, which TRIBENCH_DATA names the parent of."""
    monkeypatch.setenv("TRIBENCH_DATA", str(tmp_path / "local"))
    return write_folder(tmp_path / "local")


class Server(HTTPServer):
    """Gives ``answers`` one after the other, then the last again: (status, body, bytes held back).
    ``asked`` counts.
    """

    def __init__(self, *answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = answers, 0
        self.url = f"http://127.0.0.1:{self.server_port}/cifar-10-python.tar.gz"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answers = self.server.answers
        status, body, missing = answers[min(self.server.asked, len(answers) - 1)]
        self.server.asked += 1
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) - missing])

    def log_message(self, *arguments):
        pass


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


def served(server: Server, content: bytes) -> Cifar10:
    return Cifar10(url=server.url, checksum=md5(content))


def assert_is_the_small_set(splits):
    written = batches()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (180, 20, 40)
    assert np.array_equal(splits.test.inputs.reshape(40, -1) * 255, written["test_batch"][0])
    assert splits.test.targets.tolist() == written["test_batch"][1]


def test_a_local_folder_needs_no_network(folder):
    with Server((500, b"", 0)) as server:
        splits = Cifar10(url=server.url).load()
        assert server.asked == 0
    assert_is_the_small_set(splits)
    for part in (splits.train, splits.validation, splits.test):
        assert part.inputs.dtype == np.float32
        assert part.inputs.shape[1:] == (3, 32, 32)
        assert part.targets.dtype == np.int32
        assert 0 <= part.inputs.min() < part.inputs.max() <= 1


def test_the_folder_itself_may_be_named(folder, monkeypatch):
    monkeypatch.setenv("TRIBENCH_DATA", str(folder))
    assert_is_the_small_set(Cifar10().load())


def test_planes_are_red_green_blue_in_rows_and_the_centre_is_kept(folder):
    values = batches()["test_batch"][0].astype(np.float32) / np.float32(255)
    pixel = values[7, 2 * 1024 + 5 * 32 + 9]  # blue, row 5, column 9
    assert Cifar10().load().test.inputs[7, 2, 5, 9] == pixel
    cropped = Cifar10(crop=24).load().test.inputs
    assert cropped.shape == (40, 3, 24, 24)
    assert cropped[7, 2, 1, 5] == pixel


def test_the_split_is_fixed_stratified_and_loses_nothing(folder):
    first = Cifar10().load()
    cifar10._load.cache_clear()
    again = Cifar10().load()
    for part in ("train", "validation"):
        assert np.array_equal(getattr(first, part).inputs, getattr(again, part).inputs)
    assert Counter(first.validation.targets.tolist()) == dict.fromkeys(range(10), 2)
    rows = np.concatenate([first.train.inputs, first.validation.inputs]).reshape(200, -1) * 255
    written = np.concatenate([batches()[name][0] for name in TRAIN])
    assert sorted(map(bytes, rows.astype(np.uint8))) == sorted(map(bytes, written))


def test_the_published_sizes_give_45000_and_5000():
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(10), 5000)).astype(np.int32)
    chosen = every_tenth(labels)
    assert Counter(labels[chosen].tolist()) == dict.fromkeys(range(10), 500)


def test_one_image_a_file_is_enough_to_load(monkeypatch, tmp_path):
    write_folder(tmp_path, count=1)
    monkeypatch.setenv("TRIBENCH_DATA", str(tmp_path))
    splits = Cifar10().load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (4, 1, 1)


def test_the_files_of_these_tests_are_real_ones():
    data, labels = batches()["data_batch_1"]
    entries = pickle.loads(python2(data, labels), encoding="bytes")
    assert np.array_equal(entries[b"data"], data)
    assert entries[b"labels"] == labels


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("names", [("data", "labels"), (b"data", b"labels")], ids=["text", "bytes"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_files_that_python_3_wrote_are_read_too(protocol, names, order):
    data, labels = batches()["data_batch_1"]
    entries = dict(zip(names, (np.asarray(data, order=order), labels), strict=True))
    images, found = read_batch(Path("x"), pickle.dumps(entries, protocol))
    assert np.array_equal(images.reshape(data.shape), data)
    assert found.tolist() == labels


class Calls:
    """Pickled, this calls a function as soon as it is read."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("place", ["alone", "data", "labels", "filenames"])
def test_a_malicious_pickle_is_refused_and_does_nothing(place, protocol, tmp_path):
    mark = tmp_path / "mark"
    call = Calls(os.mkdir, str(mark))
    data, labels = batches()["data_batch_1"]
    entries = {"data": data, "labels": labels} | {place: call}
    content = pickle.dumps(call if place == "alone" else entries, protocol)
    with pytest.raises(Cifar10Error, match=r"^x is not a batch of CIFAR-10: it asks for .*mkdir"):
        read_batch(Path("x"), content)
    assert not mark.exists()
    pickle.loads(content)
    assert mark.exists()  # it would have


@pytest.mark.parametrize(
    "content",
    [
        b"cnumpy\nload\n.",
        b"(S'1'\ni__builtin__\neval\n.",
        b"c__builtin__\neval\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
        b"ccopyreg\n__newobj__\n.",
        b"\x80\x02\x82\x01.",
        b"Pname\n.",
    ],
)
def test_no_other_name_is_known(content):
    with pytest.raises(Cifar10Error, match="x is not a batch of CIFAR-10"):
        read_batch(Path("x"), content)


GOOD = np.zeros((2, 3072), np.uint8)
BROKEN = {
    "empty": (b"", "is not a batch of CIFAR-10: Ran out of input"),
    "text": (b"hello", "is not a batch of CIFAR-10"),
    "truncated": (
        python2(GOOD, [1, 2])[:3000],
        "is not a batch of CIFAR-10: pickle data was trunc",
    ),
    "a list": ([1, 2], "must hold a dictionary with data and labels, not list"),
    "no data": ({"labels": [1]}, "data must be an array u1 of shape (n, 3072), n > 0, not none"),
    "no labels": ({"data": GOOD}, "labels must be a list of 2, one an image, not NoneType"),
    "list data": ({"data": [1]}, "n > 0, not list"),
    "row length": ({"data": GOOD[:, 1:]}, "not u1 of shape (2, 3071) in 6142 bytes"),
    "one image": ({"data": GOOD[0]}, "not u1 of shape (3072,) in 3072 bytes"),
    "floats": ({"data": GOOD.astype(np.float64)}, "not f8 of shape (2, 3072)"),
    "no images": ({"data": GOOD[:0], "labels": []}, "not u1 of shape (0, 3072) in 0 bytes"),
    "few labels": (
        {"data": GOOD, "labels": [1]},
        "labels must be a list of 2, one an image, not 1",
    ),
    "label 10": (
        {"data": GOOD, "labels": [9, 10]},
        "label 1 must be a whole number from 0 to 9, not",
    ),
    "label -1": (
        {"data": GOOD, "labels": [-1, 0]},
        "label 0 must be a whole number from 0 to 9, not",
    ),
    "label 1.5": ({"data": GOOD, "labels": [1, 1.5]}, "label 1 must be a whole number from 0 to 9"),
    "label text": ({"data": GOOD, "labels": ["1", 1]}, "from 0 to 9, not '1'"),
    "too short": (python2(GOOD, [1, 2]).replace(b"J\0\x0c\0\0", b"J\1\x0c\0\0"), "shape (2, 3073)"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("file", ["data_batch_3", "test_batch"])
def test_a_broken_file_is_named_with_what_is_wrong(name, file, folder):
    content, words = BROKEN[name]
    raw = content if isinstance(content, bytes) else pickle.dumps(content, 4)
    (folder / file).write_bytes(raw)
    with pytest.raises(Cifar10Error) as caught:
        Cifar10().load()
    assert str(caught.value).startswith(str(folder / file))
    assert words in str(caught.value)


def test_what_is_missing_or_unreadable_is_named(folder):
    (folder / "data_batch_2").unlink()
    with pytest.raises(Cifar10Error, match=r"/data_batch_2 cannot be read: No such file"):
        Cifar10().load()
    (folder / "data_batch_2").mkdir()
    with pytest.raises(Cifar10Error, match=r"/data_batch_2 cannot be read: Is a directory"):
        Cifar10().load()
    for file in FILES:
        os.rename(folder / file, folder.parent / f"old-{file}")
    with pytest.raises(Cifar10Error, match=r"/data_batch_1 cannot be read: No such file"):
        Cifar10().load()


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_the_data_is_an_error_and_no_download(there, monkeypatch, tmp_path):
    local = tmp_path / "local"
    if there:
        local.mkdir()
    monkeypatch.setenv("TRIBENCH_DATA", str(local))
    with Server((200, archive(), 0)) as server:
        with pytest.raises(Cifar10Error) as caught:
            served(server, archive()).load()
        assert server.asked == 0
    assert f"TRIBENCH_DATA={local} has neither {FOLDER} nor" in str(caught.value)
    assert f"unset TRIBENCH_DATA to download {server.url}" in str(caught.value)


def test_a_local_archive_is_checked_and_read_where_it_lies(monkeypatch, tmp_path):
    content = archive()
    file = tmp_path / "cifar-10-python.tar.gz"
    file.write_bytes(content)
    monkeypatch.setenv("TRIBENCH_DATA", str(tmp_path))
    assert_is_the_small_set(Cifar10(checksum=md5(content)).load())
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(Cifar10Error, match=f"{file} is damaged or another file: its md5 is"):
        Cifar10().load()


SMALL = {f"{FOLDER}/{name}": python2(*batch) for name, batch in batches(1).items()}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive()[:5000], "is not a whole archive: Compressed file ended"),
        (b"\x1f\x8b" + bytes(100), "is not a whole archive"),
        (b"hello", "is not a whole archive"),
        (
            archive({k: v for k, v in SMALL.items() if "3" not in k}),
            f"no file {FOLDER}/data_batch_3",
        ),
        (archive(SMALL | {f"{FOLDER}/test_batch": b"."}), f"{FOLDER}/test_batch is not a batch"),
    ],
    ids=["truncated", "damaged", "text", "member", "batch"],
)
def test_a_broken_archive_is_named(content, words, monkeypatch, tmp_path):
    file = tmp_path / "cifar-10-python.tar.gz"
    file.write_bytes(content)
    monkeypatch.setenv("TRIBENCH_DATA", str(tmp_path))
    with pytest.raises(Cifar10Error) as caught:
        Cifar10(checksum=md5(content)).load()
    assert str(caught.value).startswith(str(file))
    assert words in str(caught.value)


def test_nothing_is_unpacked_wherever_an_archive_points(monkeypatch, tmp_path):
    outside = {f"../{FOLDER}/test_batch": b"outside", f"/{FOLDER}/x": b"x", "../../escaped": b"y"}
    content = archive(outside | SMALL)
    local = tmp_path / "a" / "b"
    local.mkdir(parents=True)
    (local / "cifar-10-python.tar.gz").write_bytes(content)
    monkeypatch.setenv("TRIBENCH_DATA", str(local))
    assert len(Cifar10(checksum=md5(content)).load().test) == 1
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["cifar-10-python.tar.gz"]


def test_a_download_is_tried_again_and_kept(tmp_path):
    content = archive()
    with Server((503, b"later", 0), (200, content, 0)) as server:
        data = served(server, content)
        assert_is_the_small_set(data.load())
        assert server.asked == 2
        cifar10._load.cache_clear()
        data.load()
        assert server.asked == 2
        (kept,) = [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
        assert kept.name == "cifar-10-python.tar.gz"
        kept.write_bytes(content[:5000])
        cifar10._load.cache_clear()
        assert_is_the_small_set(data.load())
        assert server.asked == 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((503, b"later", 0), "503 Server Error: Service Unavailable"),
        ((404, b"gone", 0), "404 Client Error: Not Found"),
        ((200, archive(), 1000), "1000 more expected"),
        ((200, archive()[:-1], 0), "MD5 hash of downloaded file"),
    ],
    ids=["503", "404", "truncated", "checksum"],
)
def test_a_download_that_fails_is_one_error_with_its_address(answer, words, tmp_path):
    with Server(answer) as server, pytest.raises(Cifar10Error) as caught:
        served(server, archive()).load()
    message = str(caught.value)
    assert message.startswith(f"{server.url} cannot be downloaded to {tmp_path / 'cache'}")
    assert words in message
    assert message.endswith("put cifar-10-python.tar.gz in a folder and name that in TRIBENCH_DATA")
    assert server.asked == 3
    kept = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    broken = answer[2] > 0  # the next download goes on with what there is
    assert kept == ({"cifar-10-python.tar.gz.part"} if broken else set())


def test_no_network_is_said():
    with Server((200, b"", 0)) as server:
        pass  # its port is closed now
    with pytest.raises(Cifar10Error, match=r"cannot be downloaded .*Connection refused"):
        served(server, b"").load()


def test_a_cache_that_cannot_be_written_is_said(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    with (
        Server((200, archive(), 0)) as server,
        pytest.raises(Cifar10Error, match="Not a directory"),
    ):
        served(server, archive()).load()


def test_its_tasks_run_only_when_they_are_asked_for():
    named = {"cnn-tiny-cifar10", "cnn-small-cifar10"}
    assert named <= TASKS.keys()
    assert named.isdisjoint(task.name for task in pick_tasks((), ("*",), TASKS))
    assert named <= {task.name for task in pick_tasks(("cnn-*",), ("*",), TASKS)}
    for name in named:
        task = TASKS[name]
        assert task.data.crop == task.model.input.shape[-1]


def test_the_set_is_the_published_one():
    """The address and checksum that https://www.cs.toronto.edu/~kriz/cifar.html gives."""
    data = TASKS["cnn-small-cifar10"].data
    assert data.url == "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    assert data.checksum == "md5:c58f30108f718f92721af3b95e74349a"


def test_material_keeps_the_values_and_says_what_is_wrong(folder, tmp_path):
    task_inputs = TaskInputs(TASKS["cnn-tiny-cifar10"], 0, tmp_path / "files")
    with np.load(task_inputs.data) as arrays:
        assert np.array_equal(arrays["test.inputs"], Cifar10(crop=24).load().test.inputs)
        assert arrays["order"].shape == (10 * (180 // 16), 16)
    other = replace(TASKS["cnn-tiny-cifar10"], batch_size=181)
    with pytest.raises(InputsError, match="has 180 training samples, fewer than its batch of 181"):
        _ = TaskInputs(other, 0, tmp_path).splits
    (folder / "test_batch").write_bytes(b"")
    cifar10._load.cache_clear()
    with pytest.raises(InputsError, match=f"cnn-tiny-cifar10 cannot be loaded: {folder}/test_"):
        _ = TaskInputs(TASKS["cnn-tiny-cifar10"], 0, tmp_path).splits
