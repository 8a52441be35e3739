"""Operators, timed by pytest-benchmark, a row's answer having been checked before.

pytest-benchmark times single calls (of what takes less than its clock can tell, a few as one), so
every call ends with the wait for the device, unlike the suite's blocks: a row includes what it
costs to start the operator and to wait for it.
"""

from __future__ import annotations

import os

import pytest

from backends.base import NotSupported
from tests.studies.operators import rows


@pytest.mark.parametrize("direction", ["forward", "forward_backward"])
def test_operator(operator, way, direction, benchmark, pytestconfig):
    """Group: operator and pass, so that frameworks stand side by side."""
    options = pytestconfig.option
    module = rows.framework(options.framework)
    try:
        program, calls = rows.prepare(module, operator, way, options.device)
        answer = calls[direction]()
    except NotSupported as why:
        pytest.skip(str(why))
    wanted, facts = rows.expected(operator, options.reference)[direction], program.facts()
    benchmark.group = f"{operator.name} {direction}"
    benchmark.extra_info.update(
        framework=options.framework,
        device=options.device,
        path=way.path,
        execution=way.execution,
        version=facts[options.framework],
        threads=facts["threads"],  # as read back
        threads_asked=os.environ.get("OMP_NUM_THREADS"),
        input_shape=(operator.batch, *operator.shape),
        parameter_shapes={path: array.shape for path, array in operator.parameters().items()},
        forward_flops=operator.batch * operator.layer.flops(operator.shape),
        error=rows.error(program, answer, wanted),
    )
    benchmark(calls[direction])
