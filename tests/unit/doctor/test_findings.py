"""What the doctor finds about machines that are made up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.doctor.findings import findings
from suite.doctor.machine import Machine
from tests.fixtures.doctor_answers import QUIET


def test_nothing_is_wrong_with_a_quiet_machine():
    assert {answer.verdict for answer in findings(QUIET)} == {"pass"}
    assert len({answer.name for answer in findings(QUIET)}) == len(findings(QUIET)) >= 15


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"quota_cores": 1.5}, "cores"),
        ({"throttled_seconds": 0.2}, "cores"),
        ({"governor": "powersave"}, "frequency governor"),
        ({"turbo": True}, "turbo"),
        ({"busy": 0.3, "busiest": {"firefox": 0.9}}, "other processes"),
        ({"load": 3.0}, "load"),
        ({"pressure": 0.2}, "pressure"),
        ({"steal": 0.05}, "steal"),
        ({"slow_cores": 0.1}, "slow cores"),
        ({"halt_poll_nanoseconds": 0}, "idle cores"),
        ({"available_bytes": 1 << 30}, "memory"),
        ({"swapped_bytes": 1 << 30}, "memory"),
        ({"clock": "hpet"}, "clock"),
        ({"clock_seconds": 2e-6}, "clock"),
        ({"throttle_count": 3}, "heat"),
        ({"celsius": 97.0}, "heat"),
    ],
)
def test_what_spoils_measurements_is_found_with_a_remedy(changes, name):
    (found,) = [a for a in findings(replace(QUIET, **changes)) if a.verdict != "pass"]
    assert (found.name, found.verdict) == (name, "warning")
    assert found.remedy


def test_what_a_system_does_not_tell_is_no_fault_of_it():
    bare_machine = Machine(cores=1, threads=1, available_bytes=8 << 30)
    assert {answer.verdict for answer in findings(bare_machine)} == {"pass"}
