"""Adapters with which something is wrong before they are asked anything, and one that prints."""

from __future__ import annotations

import sys

from backends import base, numpy

print("welcome to tribench_hostile", flush=True)
print('{"call": 1, "value": []}', file=sys.stderr, flush=True)


class Talking(numpy.Backend):
    """Nothing wrong."""

    name = "talking"


class Frameless(base.Backend):
    name = "frameless"
    executions = ("eager",)


class Nameless(base.Backend):
    framework = "numpy"
    executions = ("eager",)


class Numbered(numpy.Backend):
    name = 7


class Undecided(base.Backend):
    name = "undecided"
    framework = "numpy"


class Worded(numpy.Backend):
    precisions = "float32"  # parentheses without a comma are no tuple


class Halved(numpy.Backend):
    precisions = ("float32", "float16")


class Lazy(numpy.Backend):
    executions = ("eager", "lazy")


class Unbuilt(base.Backend):
    name = "unbuilt"
    framework = "numpy"
    executions = ("eager",)


class Uncast(Unbuilt):
    name = "uncast"
    precisions = ("float32", "bfloat16")

    def build(self, task, parameters):
        raise NotImplementedError


class Offering(numpy.Backend):
    @classmethod
    def offered(cls, device):
        return {"float32": True}


class Refusing(numpy.Backend):
    @classmethod
    def offered(cls, device):
        raise SystemExit(3)


def function():
    return Talking
