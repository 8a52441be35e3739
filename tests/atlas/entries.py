"""What the scripts beside this one share: entries by name, run and printed as JSON.

``PYTHON torch_defaults.py`` runs in that framework's own environment, without tribench.
"""

import json

ENTRIES = {}


def entry(name):
    """Register a function of no arguments as what this framework does for an entry of the atlas."""

    def register(function):
        ENTRIES[name] = function
        return function

    return register


def plain(value):
    """Tensors as lists, everything else as it is."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if hasattr(value, "detach"):
        value = value.detach()
    return value.tolist() if hasattr(value, "tolist") else value


def run():
    print(json.dumps({name: plain(function()) for name, function in ENTRIES.items()}))
