"""Which programs measure the ceilings of a device."""

from __future__ import annotations

import pytest

from suite.measure import ceilings
from suite.plan.configurations import Configuration
from suite.worker.adapters import Adapter
from suite.worker.installations import Installation


@pytest.mark.parametrize(
    ("device", "units"),
    [
        ("cpu", ["torch/compiled/float32", "torch/compiled/bfloat16", "jax/compiled/bfloat16"]),
        (
            "cuda",
            [
                *("torch/eager/float32", "torch/eager/bfloat16", "jax/compiled/bfloat16"),
                "jax/compiled/float32",  # for copying alone
            ],
        ),
    ],
)
def test_on_a_gpu_ceilings_are_measured_where_nothing_is_copied_on_the_way(tmp_path, device, units):
    torch, jax = (
        Installation(
            name=name, interpreter="", adapter=Adapter(name=name, target="", executions=executions)
        )
        for name, executions in (("torch", ("eager", "compiled")), ("jax", ("compiled",)))
    )
    configurations = [
        Configuration(
            installation=installation, execution="compiled", precision=precision, device=device
        )
        for installation, precision in ((torch, "float32"), (torch, "bfloat16"), (jax, "bfloat16"))
    ]
    found = [job.id for job in ceilings.jobs(configurations, tmp_path, lambda _: True)]
    assert found == [f"ceiling/{unit}/{device}" for unit in units]
