"""The peers where nothing but PyTorch is installed: torch.nn is one more arm, and what needs more
says so.
"""

from __future__ import annotations

from itertools import product

from tests.conftest import of_the_whole

PEERS = ("../studies/peers",)
TASKS = ("transformer-tiny", "gpt-tiny")  # PyTorch's own block; a table that is the head too


def test_torch_nn_is_the_same_function_and_the_others_tell_what_they_lack(tribench, torch_checkout):
    done = tribench(
        *("parity", "--task", ",".join(TASKS), "--backend", "torch-nn,flax,keras-torch"),
        *("--execution", "eager", "--json", "--quiet"),
        plugins=PEERS,
        root=torch_checkout,
    )
    assert done.returncode == 0, done.stderr
    answers = of_the_whole(done)
    for task, question in product(TASKS, ("function", "precision", "training")):
        asked = [a for a in answers if (a["task"], a["question"]) == (task, question)]
        told = {each["backend"]: each for each in asked}
        assert told["torch-nn"]["verdict"] == "same", told["torch-nn"]
        for name, lacking in (("flax", "jax"), ("keras-torch", "keras")):
            assert told[name]["verdict"] == "not_available"
            assert f"No module named '{lacking}'" in told[name]["reason"]
        if (task, question) == ("transformer-tiny", "function"):  # gpt-tiny clips, by another rule
            assert {"update", "trained"} <= told["torch-nn"]["errors"].keys()
