"""Adapters whose words hold the environment and where things lie, in the notations of others."""

from __future__ import annotations

import json
import os
from urllib.parse import quote

from backends.numpy import Backend
from backends.numpy.program import Program

FOLDER = "/srv/annamaria/x.pt"
TOKEN = os.environ.get("TF_TOKEN_x", "")  # noqa: SIM112 (a controlled worker has it not)


def told():
    """Everything that may not be, in a line."""
    written = [FOLDER.replace("/", sign) for sign in (r"\/", r"\u002f", "%2F", "&#47;", "\u2215")]
    tokens = [TOKEN, quote(quote(TOKEN)), json.dumps(json.dumps(TOKEN)), repr(TOKEN.encode())]
    return " ".join([*written, *tokens, repr(os.environ), json.dumps(dict(os.environ))])


class Leaking(Backend):
    """Cannot build."""

    name = "leaking"
    framework = "numpy"
    precisions = ("float64", "float32")

    def build(self, task, parameters):
        raise RuntimeError(told())


class Facts(Program):
    def facts(self):
        words = told()
        return {"kept": words, f"of {words}": "here", FOLDER: "there"}


class LeakingFacts(Leaking):
    """Computes."""

    name = "leaking-facts"

    def build(self, task, parameters):
        return Facts(self, task, parameters)


class LeakingLate(Leaking):
    """Cannot build, and has taken the token out of the environment."""

    name = "leaking-late"

    def build(self, task, parameters):
        os.environ.pop("TF_TOKEN_x", None)
        raise RuntimeError(f"{TOKEN} " + " ".join(TOKEN.split()))
