"""Which configurations are chosen, and why others are refused."""

from __future__ import annotations

from suite.plan.configurations import configurations
from suite.plan.options import Choice
from tests.fixtures.installations import ARMS, installation


def test_what_an_adapter_lacks_is_refused_by_name():
    chosen = configurations(Choice(executions=("eager",)), ARMS, "float32")
    assert [configuration.refused and configuration.refused[0] for configuration in chosen] == [
        None,
        "not_supported",
        "not_available",
    ]
    (torch,) = configurations(Choice(backends=("torch",)), ARMS, "bfloat16")
    assert torch.refused == (
        "not_supported",
        "torch has no precision bfloat16 here, only float64, float32",
    )


def test_every_gives_all_executions():
    chosen = configurations(Choice(backends=("torch",)), ARMS, "float32", every=True)
    assert [configuration.execution for configuration in chosen] == ["eager", "compiled"]


def test_a_backends_name_stands_for_its_second_interpreter_too():
    installations = [*ARMS, installation("torch@old")]
    both = configurations(Choice(backends=("torch",)), installations, "float32")
    assert [configuration.backend for configuration in both] == ["torch", "torch@old"]
    (old,) = configurations(Choice(backends=("torch@old",)), installations, "float32")
    assert old.backend == "torch@old"
