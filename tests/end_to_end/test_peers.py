"""The peers where nothing but PyTorch is installed: torch.nn is one more arm, and what needs more
says so.
"""

from __future__ import annotations

from tests.conftest import of_the_whole

PEERS = ("../studies/peers",)


def test_torch_nn_is_the_same_function_and_the_others_tell_what_they_lack(tribench, torch_checkout):
    done = tribench(
        *("parity", "--task", "transformer-tiny", "--backend", "torch-nn,flax,keras-torch"),
        *("--execution", "eager", "--json", "--quiet"),
        plugins=PEERS,
        root=torch_checkout,
    )
    assert done.returncode == 0, done.stderr
    answers = of_the_whole(done)
    for question in ("function", "precision", "training"):
        told = {each["backend"]: each for each in answers if each["question"] == question}
        assert told["torch-nn"]["verdict"] == "same", told["torch-nn"]
        for name, lacking in (("flax", "jax"), ("keras-torch", "keras")):
            assert told[name]["verdict"] == "not_available"
            assert f"No module named '{lacking}'" in told[name]["reason"]
    (function,) = (a for a in answers if (a["backend"], a["question"]) == ("torch-nn", "function"))
    assert {"update", "trained"} <= function["errors"].keys()
