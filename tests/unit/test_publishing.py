"""What may stand among published runs."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suite import results_cli, session
from suite.plan import UsageError
from suite.store import directory, personal, publishing
from suite.store.schema import (
    AccuracyRecord,
    BlockRecord,
    CeilingRecord,
    LineRecord,
    MemoryRecord,
    ParityRecord,
    PhaseRecord,
)
from suite.store.seal import DATA, SEAL, read_seal, seal
from tests.stored_run import stored_sample

ROOT = Path(__file__).parents[2]
PUBLISHED = sorted(path.parent for path in (ROOT / "results" / "published").glob("*/manifest.json"))


@pytest.fixture
def stored(tmp_path):
    """A whole run directory, as a run leaves it, read back."""

    def write(**changes):
        return session.read(stored_sample(tmp_path / "runs", **changes))

    return write


@pytest.fixture
def run(stored):
    return stored()


def spoilt(run, kind, **changes):
    """The run with fields of its first record of a kind changed, whatever the record holds."""
    index = next(n for n, record in enumerate(run.records) if isinstance(record, kind))
    records = list(run.records)
    records[index] = _changed(records[index], changes)
    return replace(run, records=records)


def _changed(model, changes):
    fields = {
        name: _changed(getattr(model, name), value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return model.model_copy(update=fields)


def found(run):
    return "\n".join(publishing.problems(run))


def test_a_whole_run_is_published_as_records_and_no_page(run, tmp_path):
    assert publishing.problems(run) == []
    place = publishing.publish(run, tmp_path / "published")
    assert sorted(path.name for path in place.iterdir()) == sorted([SEAL, *DATA])
    assert session.read(place).summary == run.summary
    assert read_seal(place).broken == {}
    assert publishing.foreign(place) == []
    again = session.read(place)
    assert publishing.publish(again, tmp_path / "published") == place  # once more changes nothing
    assert [path.name for path in place.parent.iterdir()] == [run.manifest.id]


def test_an_unfinished_run_is_refused(stored):
    assert "it is not complete" in found(stored(complete=False))


def test_a_run_under_another_name_is_refused(run):
    other = run.path.rename(run.path.with_name("mine"))
    assert f"its folder is not called {run.manifest.id}" in found(session.read(other))


@pytest.mark.parametrize("name", DATA)
def test_a_file_that_was_changed_is_named(run, name):
    file = run.path / name
    file.write_bytes(file.read_bytes().replace(b"2", b"3"))
    assert f"{name}: " in found(session.read(run.path))


def test_a_line_that_a_kill_cut_off_is_lost_to_nobody(run):
    records = run.path / "records.jsonl"
    records.write_bytes(b'{"unit": "tim\n' + records.read_bytes())
    assert "records.jsonl: line 1 was left out" in found(session.read(run.path))
    seal(run.path)
    assert publishing.problems(session.read(run.path)) == []


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        (BlockRecord, {"seconds": -1.0}, "took -1 s for 5 steps"),
        (BlockRecord, {"seconds": 0.0}, "took 0 s for 5 steps"),
        (BlockRecord, {"steps": 0}, "for 0 steps"),
        (PhaseRecord, {"seconds": -1e-9}, "took less than no time"),
        (PhaseRecord, {"samples": [0.1, -0.1]}, "took less than no time"),
        (AccuracyRecord, {"training": {"seconds": -1.0}}, "took less than no time"),
        (AccuracyRecord, {"training": {"test_accuracy": 1.01}}, "a share of 1.01 is not between"),
        (AccuracyRecord, {"training": {"validation_accuracies": [-0.1]}}, "a share of -0.1 is not"),
        (AccuracyRecord, {"training": {"test_macro_f1": 2.0}}, "a share of 2 is not between"),
        (AccuracyRecord, {"training": {"test_samples": 0}}, "of 0 test samples"),
        (AccuracyRecord, {"training": {"test_correct": 1}}, "is not 1 of 360 test samples"),
        (LineRecord, {"line": {"test_accuracy": 7.0}}, "SVM (RBF): a share of 7 is not between"),
        (MemoryRecord, {"process": -1}, "a process peak of -1 bytes is below the parameters' 0"),
        (
            ParityRecord,
            {"result": {"error": 1.0, "threshold": 1e-7}},
            "is called the same with an error of 1, above its threshold",
        ),
    ],
)
def test_a_number_that_cannot_be_is_refused(run, kind, changes, said):
    assert said in found(spoilt(run, kind, **changes))


def test_a_peak_below_the_parameters_is_implausible(run):
    tasks = {name: told | {"parameters": 1000} for name, told in run.manifest.tasks.items()}
    manifest = run.manifest.model_copy(update={"tasks": tasks})
    small = spoilt(replace(run, manifest=manifest), MemoryRecord, process=3999)
    assert "a process peak of 3999 bytes is below the parameters' 4000" in found(small)


def test_rates_far_over_the_ceiling_are_implausible(run):
    def with_cells(**changes):
        return _with(run, cells=[cell.model_copy(update=changes) for cell in run.summary.cells])

    assert "is at 300 % of the ceiling" in found(with_cells(of_ceiling=3.0))
    assert "is at 1e+20 FLOP/s" in found(with_cells(flops_per_second=1e20))


def test_a_ceiling_over_any_devices_is_implausible(run):
    ceiling = CeilingRecord(
        unit="ceilings",
        attempt="1",
        what="matmul",
        how="torch.mm",
        backend="torch",
        execution="eager",
        precision="float32",
        device="cpu",
        amount=10**12,
        step_seconds=[1e-9],
    )
    run.records.append(ceiling)
    assert "torch has a matmul ceiling of 1e+21 per second" in found(run)


@settings(max_examples=60)
@given(st.tuples(*[st.floats(-1e3, 1e3)] * 3))
def test_an_interval_is_around_its_value(whole, ends):
    low, value, high = ends
    step = {"low": low, "value": value, "high": high}
    cells = [
        cell.model_copy(update={"step_seconds": cell.step_seconds.model_copy(update=step)})
        if cell.step_seconds
        else cell
        for cell in whole.summary.cells
    ]
    ratio = {"low": low, "ratio": value, "high": high}
    comparisons = [one.model_copy(update=ratio) for one in whole.summary.comparisons]
    sound = 0 < low <= value <= high
    assert ("s is not around" in found(_with(whole, cells=cells))) == (not sound)
    assert ("is not around" in found(_with(whole, comparisons=comparisons))) == (not sound)


def test_a_speed_without_parity_is_refused(run):
    cells = [cell.model_copy(update={"parity": None}) for cell in run.summary.cells]
    assert "has no parity" in found(_with(run, cells=cells))


def test_a_summary_that_says_something_else_is_refused(run):
    file = run.path / "summary.json"
    stored = json.loads(file.read_text())
    stored["cells"][0]["step_seconds"] = {"value": 1.0, "low": 0.9, "high": 1.1}
    stored["cells"].pop()
    file.write_text(json.dumps(stored | {"id": "another"}))
    seal(run.path)
    said = found(session.read(run.path))
    assert "summary.json is of another" in said
    assert "summary.json has other cells" in said
    assert "torch eager float32: summary.json says 1 s where the records say 0.03" in said


@pytest.mark.parametrize(
    "said", [{"verdict": "FASTER"}, {"ratio": 9.0, "low": 8.9, "high": 9.1}], ids=str
)
def test_a_comparison_that_the_records_contradict_is_refused(run, said):
    file = run.path / "summary.json"
    stored = json.loads(file.read_text())
    (slower, *_) = [c for c in stored["comparisons"] if c["verdict"] == "SLOWER"]
    slower |= said
    file.write_text(json.dumps(stored))
    seal(run.path)
    told = "summary.json says .* where the records say .* \\(SLOWER\\)"
    assert re.search(told, found(session.read(run.path)))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 17])
def test_what_is_no_number_is_malformed(run, number):
    records = run.path / "records.jsonl"
    text = records.read_text().replace('"seconds":0.', f'"seconds":{number},"x":0.', 1)
    assert number in text
    records.write_text(text)
    seal_free = run.path / SEAL
    seal_free.unlink()
    assert "records.jsonl: line 1 was left out" in found(session.read(run.path))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("no such file: /home/anna/models/x.pt", "no such file: x.pt"),
        ("see '~/models/x.pt'", "see 'x.pt'"),
        ('File "/srv/y/z.py", line 3\n/opt/z/', 'File "z.py", line 3\nz'),
        ("PYTHONPATH=/opt/python/lib:/opt/x", "PYTHONPATH=lib:x"),
        ("cannot open /data/My Models (old), v2/x.pt: none", "cannot open x.pt: none"),
        ("from '/srv/a: b/x.py'>", "from 'x.py'>"),
        ("/data/epoch=3, lr=0.1/x.ckpt", "x.ckpt"),
        ("copy /a/b/x.pt, /c/d/y.pt to /e/f z/", "copy x.pt, y.pt to f z"),
        ("gcc -L/home/anna/lib -Wl,-rpath,/opt/a/lib -lx", "gcc -Llib -Wl,-rpath,lib -lx"),
        ("file:///srv/anna/x.pt", "x.pt"),
        ("</srv/anna/x.py>", "<x.py>"),
        ("at //server/share", "at share"),
        (r"at \\server\share\x.pt", "at x.pt"),
        ("~anna/x and ~anna/", "x and ~"),
        ("anna@box:/srv/anna/x.pt", "x.pt"),
        (r"C:\Users\anna\x.pt is gone", "x.pt is gone"),
        (r"C:\\Users\\anna and C:/Users/anna", "~ and ~"),
        ("(see /home/anna)", "(see ~)"),
        ('"/home/Anna Maria"', '"~"'),
        ("/Users/o'brien/z", "z"),
        (r"b'ld: \n/srv/anna/x'", r"b'ld: \nx'"),
        ("../anna/lab/x", "x"),
        ("${HOME}/anna/x", "x"),
        ("https://anna:secret@example.org/a/b", "https://example.org/a/b"),
        (
            "GET https://example.org/a.npz?token=ABC&x=/y/z: 403",
            "GET https://example.org/a.npz 403",
        ),
        ("\x1b[31m/home/anna/x.pt\x1b[0m: none", "x.pt: none"),
    ],
)
def test_paths_are_personal_and_reduced_to_names(text, kept):
    assert personal.personal(text, "")
    assert personal.personal(json.dumps({"reason": text}), "")
    assert personal.without_paths(text) == kept
    assert personal.personal(kept, "") == []


@pytest.mark.parametrize(
    "text",
    [
        *(
            "3 samples/s",
            "</script></title>",
            "https://example.org/a/b",
            "torch/nn/x.py",
            "'/C calc'",
        ),
        *("3/4 of 1/2", "layer a/b", "FLOP/s, GB/s", "timing/0/cnn-tiny", "3 /s and 4 samples/s"),
        *(
            "w/o",
            "n/a",
            "I/O error",
            "7 // 2",
            "[16, 3]/2",
            "-O2/-O3",
            "../x",
            "/tmp",
            r"a\b",
            "C:",
        ),
        *(
            "tensors/sec (a/b/c)",
            "file://",
            "~5/s",
            "1e-3/2e-3",
            "and/or: yes/no",
            r"\d+\w",
            "x:/y",
        ),
    ],
)
def test_what_is_no_path_is_not(text):
    assert personal.personal(text, "") == []
    assert personal.without_paths(text) == text


def test_the_users_own_home_is_not_told_wherever_it_is(monkeypatch):
    monkeypatch.setenv("HOME", "/srv people/Anna Maria")
    text = "denied: /srv people/Anna Maria, /srv people/Anna Maria/x/y"
    assert personal.without_paths(text) == "denied: ~, y"
    assert personal.personal(text, "")


def test_a_user_without_a_home_or_a_name_has_nothing_personal(monkeypatch):
    def unknown(*_):
        raise KeyError("uid not found")

    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert personal.without_paths("cannot open /srv/a/x.pt") == "cannot open x.pt"
    assert personal.personal("nobody was here", "") == []


BETWEEN = st.sampled_from(
    [" ", ", ", "-", "(", ") ", " (", "[", "] ", "=", "'s ", ".", " & ", "  "]
)
AT_END = st.sampled_from(["", "", "", ")", " (", "]", ",", "=", "_"])


@st.composite
def folder(draw):
    """A name as people give them; its letters are nowhere else in a message."""
    words = draw(st.lists(st.text("QXZÄЖ", min_size=2, max_size=4), min_size=1, max_size=3))
    name = words[0]
    for word in words[1:]:
        name += draw(BETWEEN) + word
    return name + draw(AT_END)


LAST = st.sampled_from(["x.pt", "model v2.npz", "lib", "a,b.txt", "data(1).csv"])
ROOTS = [
    "/",
    "//",
    "~/QXZ/",
    "~QXZ/",
    "/home/",
    "C:\\",
    "\\\\QXZ\\",
    "file:///",
    "-L/",
    "-I/",
    "../",
    "$HOME/",
    "QXZ@QXZ:/",
]
BEFORE = [
    "",
    "no such file: ",
    "cannot open (",
    "<",
    "<module from ",
    "at ",
    "x=",
    "[Errno 2] in [",
    "1/2 of ",
]
AFTER = ["", ": no such file", ")", ">", "\n", ", line 3", " is gone", "]: 3 samples/s"]


@given(
    root=st.sampled_from(ROOTS),
    folders=st.lists(folder(), min_size=1, max_size=3),
    last=LAST,
    before=st.sampled_from(BEFORE),
    after=st.sampled_from(AFTER),
    mark=st.sampled_from(["", "", "'", '"', "`"]),
)
def test_no_folder_of_any_path_in_any_message_is_told(root, folders, last, before, after, mark):
    path = root + ("\\" if "\\" in root else "/").join([*folders, last])
    text = f"{before}{mark}{path}{mark}{after}"
    kept = personal.without_paths(text)
    assert not set("QXZÄЖ") & set(kept)
    assert kept.startswith(before)
    assert last in kept
    assert kept.endswith(after)
    for found in (text, json.dumps({"reason": text}), json.dumps([{text: 1}]) + "\n{}"):
        assert personal.personal(found, "")
    assert personal.personal(kept, "") == []


@given(
    st.sampled_from(["/home/", "/Users/", "C:\\Users\\", "file:///home/"]),
    folder(),
    st.sampled_from(BEFORE),
)
def test_no_bare_home_folder_is_told(root, name, before):
    kept = personal.without_paths(f'{before}"{root}{name}"')
    assert kept == f'{before}"~"'


PLAIN = st.sampled_from(
    [
        *(
            "3/4",
            "layer a/b",
            "FLOP/s",
            "GB/s",
            "timing/0/cnn-tiny",
            "n/a",
            "w/o",
            "I/O",
            "x/y/z.py",
        ),
        *(
            "https://example.org/a/b",
            "torch/nn",
            "train/infer",
            "±3 %/launch",
            "1e-3/2e-3",
            "and/or",
        ),
        *(
            "of",
            "(a",
            "b)",
            "'x'",
            "1,",
            "failed:",
            "in",
            "—",
            "<b>",
            "</b>",
            "[16]",
            "a=1",
            "7 // 2",
        ),
    ]
)


@given(st.lists(PLAIN, max_size=8).map(" ".join))
def test_a_message_without_a_path_stays_as_it_is(text):
    assert personal.without_paths(text) == text
    assert personal.personal(text, "") == []


@given(st.text(alphabet=st.sampled_from("ab/\\ :.~-'\"<([@$%C\n,="), max_size=60))
def test_what_was_shortened_has_no_path_left(text):
    kept = personal.without_paths(text)
    assert personal.without_paths(kept) == kept
    assert len(kept) <= len(text)
    assert personal.personal(kept, "") == []


@pytest.mark.parametrize("variable", ["USER", "HOME"])
def test_names_are_personal_but_in_a_label(stored, monkeypatch, variable):
    monkeypatch.setenv("HOME", "/home/other")
    monkeypatch.setenv("LOGNAME", "")
    monkeypatch.setenv(variable, "/home/annabel" if variable == "HOME" else "annabel")
    run = stored(command="tribench run --backend annabel", label=None)
    assert "manifest.json names 'annabel', which is personal" in found(run)
    shutil.rmtree(run.path)
    assert found(stored(command="tribench run --backend annabel", label="annabel's")) == ""


def test_a_hosts_name_is_personal(stored, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "box-17.example.org")
    assert "names 'box-17.example.org'" in found(stored(command="tribench run box-17.example.org"))


def test_check_tells_all_that_is_wrong_and_copies_nothing(run, tmp_path, capsys):
    place = publishing.publish(run, tmp_path / "published")
    assert results_cli._check([place]) == 0
    assert capsys.readouterr().out == f"{place}: may be published\n"
    (place / "extra.exe").write_bytes(b"")
    (place / "link.json").symlink_to("/etc/passwd")
    (place / SEAL).unlink()
    (place / "summary.json").write_bytes(b"")
    (place.parent / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    assert results_cli._check([place, place.parent / "empty"]) == 1
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
        results_cli._check([tmp_path / "nothing"])


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.name)
def test_our_published_runs_may_stand_there(path):
    assert publishing.foreign(path) == []
    assert publishing.problems(session.read(path)) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.data())
def test_no_changed_byte_of_a_published_run_is_overlooked(published, tmp_path, data):
    place = tmp_path / directory.new_id() / published.name
    shutil.copytree(published, place)
    file = place / data.draw(st.sampled_from([SEAL, *DATA]))
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    file.write_bytes(bytes(content))
    assert results_cli._check([place]) == 1


def test_nothing_is_left_where_copying_fails(run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(Exception, match="No space"):
        publishing.publish(run, tmp_path / "published")
    assert not (tmp_path / "published" / run.manifest.id).exists()
    assert json.loads((run.path / "manifest.json").read_text())["complete"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return session.read(stored_sample(tmp_path_factory.mktemp("whole")))


@pytest.fixture(scope="module")
def published(whole, tmp_path_factory):
    return publishing.publish(whole, tmp_path_factory.mktemp("published"))


def _with(run, **changes):
    return replace(run, summary=run.summary.model_copy(update=changes))
