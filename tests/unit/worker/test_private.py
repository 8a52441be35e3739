"""What of the process environment stands in a message, and what is kept of it."""

from __future__ import annotations

import html
import json
import os
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends.numpy import Backend
from suite.worker import private
from suite.worker.adapters import survey
from suite.worker.errors import described, sentence
from suite.worker.installations import discover
from suite.worker.private import all_without_private, without_private
from suite.worker.process import NO_LIMITS, Worker, WorkerError

KEY = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA7x\nq2Wm+/Zp0dQ==\n-----END KEY-----"
NOTATIONS = [
    *(str, repr, lambda t: repr(t.encode()), lambda t: repr([repr(t)]), lambda t: repr({t: 1})),
    *(
        json.dumps,
        lambda t: json.dumps(t, ensure_ascii=False),
        lambda t: json.dumps([json.dumps(t)]),
    ),
    *(quote, lambda t: quote(t, safe=""), lambda t: quote(quote(t)), html.escape),
    *(lambda t: repr({"a": t}), lambda t: f"(a={t})", lambda t: f"\x1b[31m{t}\x1b[0m"),
    lambda t: "".join(f"\\u{ord(sign):04x}" if ord(sign) < 1 << 16 else sign for sign in t),
]


@contextmanager
def environment(**variables):
    """Nothing else stands in it, nor stood."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private, "AT_FIRST", {})
        patch.setattr(os, "environ", variables)
        patch.setattr(private, "names", lambda: ["annabel", "annas-laptop"])
        yield


@pytest.mark.parametrize(
    ("name", "value", "text", "kept"),
    [
        ("X", "hunter2hunter2", "denied (hunter2hunter2)", "denied (***)"),
        ("X", "hunter2hunter2", "prefix_hunter2hunter2_x", "prefix_***_x"),
        ("X", "hunter2", "b'at\\nhunter2'", "b'at\\n***'"),
        ("DB_PASSWORD", "tiger", "no tiger,\\ntiger, no tigers", "no ***,\\n***, no tigers"),
        (
            "PGURL",
            "postgres://scott:t%40ger@db/x",
            "password t@ger of scott",
            "password *** of ***",
        ),
        ("X", "anna@example.org", "mail anna@example.org", "mail ***"),
        ("DOCKER_AUTH", '{"auth": "YW5uYTpodW50"}', "with YW5uYTpodW50.", "with ***."),
        ("MY_TOKEN", "Bearer ab12cd34", "sent ab12cd34", "sent ***"),
        ("X", KEY, "line q2Wm+/Zp0dQ== of it", "line *** of it"),
        ("AWS_SECRET", "/aB3d/Xy9z", "with /aB3d/Xy9z", "with ***"),
        ("CUDA_VISIBLE_DEVICES", "GPU-8f3a-11", "no GPU-8f3a-11", "no ***"),
        ("PROJECT", "mercury", "PROJECT=mercury, of mercury", "***, of mercury"),
        ("PROJECT", "mercury", "{'PROJECT': 'mercury', 'a': 1}", "{***, 'a': 1}"),
        ("PROJECT", "mercury", 'b"PROJECT": b"mercury"', "***"),
        ("PROJECT", "mercury", "[('PROJECT', 'mercury')]", "[(***)]"),
        ("EMPTY_TOKEN", "", "{'EMPTY_TOKEN': ''}", "{***}"),
        ("PROJECT", "mercury", "PROJECT is not set", "PROJECT is not set"),
        ("X", "x", "of annabel on annas-laptop", "of *** on ***"),
        ("X", "x", "Annabel@ANNAS_LAPTOP.LAN, Annabella", "***@***.LAN, Annabella"),
    ],
)
def test_what_is_private_is_taken_out(name, value, text, kept):
    with environment(**{name: value}):
        assert without_private(text) == kept


@pytest.mark.parametrize(
    "value",
    [
        *(
            "1",
            "true",
            "C.UTF-8",
            "en_US.UTF-8",
            "xterm",
            "xterm-256color",
            "/usr/bin",
            "root",
            "cpu",
        ),
        *(
            "tensorflow",
            "TensorFlow",
            "PyTorch",
            "NotSupported",
            "GITHUB",
            "2.13.0",
            "1024",
            "1e-5",
        ),
        *("/usr/bin:/bin", "float32", "bfloat16", "cuda:0", "~/lab", "", "production", "x86_64"),
    ],
)
def test_what_is_usual_stays(value):
    text = f"the {value} of ({value}), '{value}'"
    with environment(ANYTHING=value):
        assert without_private(text) == text


def test_a_switch_is_no_secret_whatever_its_variable_is_called():
    text = "TOKENIZERS_PARALLELISM is false, tokens are 1024"
    with environment(USE_AUTH="false", TOKENIZERS_PARALLELISM="false", PWD="/srv/x"):
        assert without_private(text) == text


def test_what_is_published_stays():
    text = "with XLA_FLAGS=--xla_cpu_max_isa=AVX2"
    with environment(XLA_FLAGS="--xla_cpu_max_isa=AVX2"):
        assert without_private(text) == text


def test_nothing_is_left_of_a_whole_environment():
    variables = {
        "ACME_TOKEN_x": 'it\'s "q" \\ Ж',
        "ACME_PROJECT": "mercury",
        "ACME_EMPTY": "",
        "ACME_NUMBER": "12",
        "ACME_KEY": KEY,
        "ACME_LIST": "a,b",
    }
    texts = [repr(variables), f"environ({variables!r})", repr(list(variables.items()))]
    texts += [repr({k.encode(): v.encode() for k, v in variables.items()}), json.dumps(variables)]
    texts += ["\n".join(f"{k}={v}" for k, v in variables.items()), repr(json.dumps(variables))]
    with environment(**variables):
        for text in texts:
            kept = without_private(text)
            assert "ACME" not in kept, kept
            assert "mercury" not in kept, kept
            assert not set("Ж12q") & set(kept), kept


secret = st.text(st.sampled_from("QXZЖ0719+/=-_.:@!\\'\"%& \n"), min_size=8, max_size=30).map(
    str.strip
)


@given(
    value=secret.filter(lambda v: len(v) >= 6 and any(map(str.isalnum, v))),
    notation=st.sampled_from(NOTATIONS),
    before=st.sampled_from(["", "denied: ", "Bearer ", "token=", "(", "\\n"]),
    after=st.sampled_from(["", ".", ")", " is wrong", "\nlast", ", 3"]),
)
@example("0000'\\", lambda t: repr([repr(t)]), "", "")
def test_no_value_is_told_in_any_notation(value, notation, before, after):
    with environment(SOME_TOKEN=value):
        kept = without_private(f"{before}{notation(value)}{after}")
    assert private.INSTEAD in kept
    assert not set("QXZЖ") & set(kept)
    assert kept.endswith(after)


@given(st.text(st.sampled_from("QXZ "), min_size=8), st.sampled_from(["Y_KEY", "y"]))
def test_a_text_without_a_value_stays(text, name):
    with environment(**{name: "hunter2hunter2"}):
        assert without_private(text) == text


def test_a_value_is_taken_out_before_a_message_is_cut():
    with environment(X="ab" * 30 + "!!"):
        assert "abab" not in described(ValueError("x" * 480 + "ab" * 30 + "!!"))[1]
        assert described(ValueError("no " + "ab" * 30 + "!!"))[1] == "no ***"
        assert sentence(type("ab" * 30 + "!!", (Exception,), {})("x")) == "***: x"


def test_a_value_that_is_gone_was_there(monkeypatch):
    monkeypatch.setattr(private, "AT_FIRST", {"X": "hunter2hunter2"})
    assert without_private("with hunter2hunter2") == "with ***"


def test_facts_have_names_too():
    with environment(X="hunter2hunter2"):
        told = {"at hunter2hunter2": ["hunter2hunter2", 1, None], "x": 0.5}
        assert all_without_private(told) == {"at ***": ["***", 1, None], "x": 0.5}


def test_a_class_that_is_no_adapter_tells_nothing(monkeypatch):
    class Named(Backend):
        framework = ("hunter2hunter2",)

    monkeypatch.setenv("X", "hunter2hunter2")
    monkeypatch.setattr("suite.worker.adapters.targets", lambda: {"named": "x:Named"})
    monkeypatch.setattr("suite.worker.adapters.load", lambda name: Named)
    (found, *_) = survey()
    assert "must be" in found["why"]
    assert "hunter2" not in found["why"]


def test_the_coordinator_takes_out_what_it_knows(monkeypatch):
    """Of a worker that has it from elsewhere."""
    monkeypatch.setenv("X", "hunter2hunter2")
    answer = {"call": 1, "error": "ValueError", "message": "no hunter2hunter2"}
    worker = SimpleNamespace(_ask=lambda *_: answer, limits=NO_LIMITS, log=Path("x.log"))
    with pytest.raises(WorkerError, match=r"^ValueError: no \*{3}; see x.log$"):
        Worker.call(worker, "build")


def test_an_interpreter_that_is_none_tells_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_TOKEN_x", "hunter2hunter2")
    odd = tmp_path / "python"
    odd.write_text("#!/bin/sh\necho no hunter2hunter2; exit 1\n")
    odd.chmod(0o755)
    monkeypatch.setattr("suite.worker.installations.sys.executable", str(odd))
    monkeypatch.setattr("suite.worker.installations.root", lambda: tmp_path)
    reasons = {found.why for found in discover({})}
    assert reasons == {"cannot run a worker: no ***"}
