"""Paths and names of people in messages, and what is kept of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.records import personal


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
        ("/srv/anna%2Flab/x and C:\\anna\\x64", "x and x64"),
        ("C%3A%5CUsers%5Canna%5Cx", "x"),
        ("***@box:/srv/anna/x and ~***/anna/x", "x and x"),
        (r"{'at': b'/srv/anna/\xc3\xa4/x'}", "{'at': b'x'}"),
        (r"['C:\\\\Users\\\\anna\\\\x']", "['x']"),
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
NOTATIONS = [
    *(r"\/", r"\u002f", r"\u002F", r"\\u002f", r"\x2f", r"\057", "%2F", "%2f", "%252F", "&#47;"),
    *("&#x2F;", "&#x2f;", "&sol;", "&amp;#47;", "\u2215", "\u2044", "\uff0f", r"\u2215"),
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
    root=st.sampled_from(["/", "~/QXZ/", "/home/", "file:///", "../", "QXZ@QXZ:/"]),
    folders=st.lists(folder(), min_size=1, max_size=3),
    slash=st.sampled_from([*NOTATIONS]),
    before=st.sampled_from(BEFORE),
    after=st.sampled_from(AFTER),
)
def test_no_folder_is_told_in_any_notation(root, folders, slash, before, after):
    path = (root + "/".join([*folders, "x.pt"])).replace("/", slash)
    text = f"{before}{path}{after}"
    kept = personal.without_paths(text)
    assert not set("QXZÄЖ") & set(kept)
    assert "x.pt" in kept
    for found in (text, json.dumps({"reason": text}), json.dumps([{text: 1}])):
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
