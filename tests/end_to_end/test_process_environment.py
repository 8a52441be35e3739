"""A run in the user's own environment, through the real command line: what changes numbers or speed
is told, a token is not, and neither is where anything lies.
"""

from __future__ import annotations

import json

import pytest

TOLD = {
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "LD_BIND_NOW": "1",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
}
SECRETS = {
    "TF_TOKEN_x": "hunter2hunter2",
    "ONEDNN_OWNER": "hunter2hunter2",
    "ACME_LOGIN": "it's\nq2Wm7Zp0dQ",
    "ACME_PROJECT": "mercurial",
    "ACME_DB": "postgres://scott:t1ger@db.acme.example/x",
}
LEAKING = ("leaking", "leaking-facts", "leaking-late")
FOLDER = "My Models (old), v2 [annabel]"


@pytest.fixture(scope="module")
def done(tribench, checkout, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (TOLD | SECRETS).items():
            patch.setenv(name, value)
        patch.setenv("SCRIPT", str(folder / FOLDER / "none.json"))
        found = tribench(
            *(
                "run",
                "--backend",
                ",".join(["narrowed", "scripted", *LEAKING]),
                "--task",
                "rnn-tiny",
                "--phase",
                "infer",
            ),
            *("--launches", "1", "--environment", "stock", "--output", "runs", "--json", "--quiet"),
            plugins=("narrowed", "scripted", "leaking"),
            folder=folder,
            root=checkout,
        )
    (run,) = (folder / "runs").iterdir()
    return found, run


def test_what_the_user_has_set_is_told_where_it_is_known(done):
    told = json.loads((done[1] / "environment.json").read_text())["settings"]
    assert told["environment"] == "stock"
    assert TOLD.items() <= told.items()
    assert not SECRETS.keys() & told.keys()


def test_nothing_of_a_token_is_in_any_file(done):
    text = done[0].stdout + done[0].stderr
    for file in done[1].rglob("*"):
        if file.is_file() and not file.name.startswith(LEAKING):  # what they printed stays theirs
            text += file.read_bytes().decode(errors="replace")
    parts = {"hunter2", "q2Wm7Zp0dQ", "mercurial", "scott", "t1ger", "acme.example", "annamaria"}
    for secret in {*SECRETS, *SECRETS.values(), *parts}:
        assert secret not in text


def test_what_an_adapter_tells_beside_them_stays(done):
    summary = json.loads(done[0].stdout)
    reasons = {cell["backend"]: cell["reason"] for cell in summary["cells"]}
    assert "RuntimeError: x.pt x.pt x.pt x.pt x.pt ***" in reasons["leaking"]
    assert "RuntimeError: ***" in reasons["leaking-late"]
    facts = json.loads((done[1] / "environment.json").read_text())["facts"]["leaking-facts eager"]
    assert facts["x.pt"] == "there"
    assert sum(name.startswith("of x.pt x.pt") for name in facts) == 1
    assert facts["kept"].startswith("x.pt x.pt")


def test_less_precision_comes_with_the_variable_that_may_be_why(done):
    assert done[0].returncode == 1
    (answer,) = [
        result
        for result in json.loads(done[0].stdout)["parity"]
        if (result["backend"], result["question"]) == ("narrowed", "precision")
    ]
    assert answer["verdict"] == "precision_loss"
    assert "may be why: ONEDNN_DEFAULT_FPMATH_MODE=BF16" in answer["reason"]
    assert "SSE41" not in answer["reason"]


def test_a_reason_names_a_file_and_not_where_it_lies(done):
    summary = json.loads(done[0].stdout)
    reasons = {c["reason"] for c in summary["cells"] if c["backend"] == "scripted"}
    (reason,) = reasons
    assert "none.json" in reason
    for name in ("My Models", "old", "v2", "annabel"):
        assert name not in reason
    for file in ("records.jsonl", "summary.json", "summary.md", "page.html"):
        assert "My Models" not in (done[1] / file).read_text()


def test_publish_finds_a_token_and_a_path(done, tribench, tmp_path):
    run = done[1]
    before = tribench("publish", "--check", str(run))
    assert "secret" not in before.stdout + before.stderr
    assert "personal" not in before.stdout + before.stderr
    file = run / "environment.json"
    kept = file.read_text()
    changed = json.loads(kept)
    changed["settings"] |= {"TF_TOKEN_x": "hunter2hunter2"}
    changed["facts"] = {"narrowed eager": {"built in": f"/srv/{FOLDER}/lib"}}
    try:
        file.write_text(json.dumps(changed))
        after = tribench("publish", "--check", str(run))
    finally:
        file.write_text(kept)
    assert after.returncode == 1
    assert "the variable 'TF_TOKEN_x'" in after.stdout
    assert f"names '/srv/{FOLDER}/lib'" in after.stdout
