"""From records to verdicts: what is claimed of several arms together, and what identical code
showed.
"""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from suite.analysis.summary import summarise
from suite.analysis.times import Times
from suite.records.schema import (
    TWIN,
    BlockRecord,
    Cell,
    Manifest,
    Noise,
    ParityRecord,
    ParityResult,
    PhaseRecord,
)

QUIET = Noise(cpu_per_wall=1.0, steal=0.0, pressure=0.0, involuntary_switches=0)
KEY = {"unit": "unit", "attempt": "1"}


def cell(backend):
    return Cell(
        task="t",
        phase="train",
        backend=backend,
        execution="eager",
        precision="float32",
        device="cpu",
        batch_size=8,
    )


def manifest(backends):
    return Manifest(
        schema="tribench/run/1",
        id="20261124T000000Z-00000000",
        created="2026-11-24T00:00:00+00:00",
        tribench="0.1.0",
        command="tribench run",
        label=None,
        profile="standard",
        launches=5,
        seeds=[0],
        delta=0.05,
        tasks={},
        cells=[cell(backend) for backend in backends],
        complete=True,
    )


def summary(times, launches=5, beside=None):
    """Of arms whose step takes the median that ``times`` gives, by launch; ``beside`` gives the
    pressure beside the rounds of a launch, and whether they stayed disturbed.
    """
    records = [
        BlockRecord(
            **KEY,
            cell=cell(backend),
            launch=launch,
            round=number,
            position=0,
            steps=1,
            seconds=times[backend](launch),
            noise=QUIET.model_copy(update={"pressure": (beside or {}).get(launch, 0.0)}),
            disturbed=launch in (beside or {}),
        )
        for backend in times
        for launch in range(launches)
        for number in range(6)
    ]
    records += [
        ParityRecord(
            **KEY,
            result=ParityResult(
                task="t",
                backend=backend,
                execution="eager",
                device="cpu",
                precision="float64",
                question="function",
                verdict="same",
            ),
        )
        for backend in times
    ]
    return summarise(manifest(list(times)), records, [])


def varying(typical, spread, seed):
    """Times of launches around a typical one."""
    logs = np.random.default_rng(seed).normal(0, 1, 5)
    logs = (logs - logs.mean()) / logs.std(ddof=1)
    return lambda launch: typical * float(np.exp(spread * logs[launch]))


def verdicts(found):
    return {(c.base, c.new): c.verdict for c in found.comparisons}


def steady(launch):
    return 1.0


def test_a_difference_that_stands_alone_may_not_stand_among_many():
    # p = 0.02: an interval that excludes 1; of six comparisons one such is expected by chance 11 %
    # of the time.
    slower = varying(1.19, 0.1, 1)
    alone = summary({"a": steady, "b": slower})
    assert verdicts(alone) == {("a", "b"): "SLOWER"}
    assert alone.comparisons[0].low > 1
    noise = {name: varying(1.0, 0.3, seed) for seed, name in enumerate(("c", "d"), 5)}
    among = summary({"a": steady, "b": slower, **noise})
    found = next(c for c in among.comparisons if (c.base, c.new) == ("a", "b"))
    assert (found.low, found.high) == (alone.comparisons[0].low, alone.comparisons[0].high)
    assert found.verdict == "INCONCLUSIVE"
    assert found.reason == "may be chance: p = 0.11, adjusted for 6 comparisons (Holm)"


def test_what_is_clear_is_said_among_many_too():
    times = {name: varying(1.0, 0.01, seed) for seed, name in enumerate("abc")}
    found = verdicts(summary({**times, "d": varying(2.0, 0.01, 9)}))
    assert {pair: v for pair, v in found.items() if "d" in pair} == {
        (name, "d"): "SLOWER" for name in "abc"
    }
    assert {v for pair, v in found.items() if "d" not in pair} == {"EQUIVALENT"}


def test_the_twin_is_compared_with_what_it_doubles_alone_and_counts_as_no_claim():
    found = summary({"a": steady, "b": varying(1.19, 0.1, 1), f"a{TWIN}": steady})
    assert verdicts(found) == {("a", "b"): "SLOWER", ("a", f"a{TWIN}"): "EQUIVALENT"}


def test_where_the_twin_strays_less_is_claimed():
    found = summary({"a": steady, "b": varying(1.19, 0.1, 1), f"a{TWIN}": varying(1.3, 0.02, 2)})
    comparison = next(c for c in found.comparisons if c.new == "b")
    assert comparison.verdict == "INCONCLUSIVE"
    assert comparison.reason.startswith("no more than the A/A arm shows of identical code: 1.2")


def test_one_launch_settles_nothing():
    (found,) = summary({"a": steady, "b": varying(3.0, 0.01, 1)}, launches=1).comparisons
    assert found.verdict == "INCONCLUSIVE"
    assert found.reason == "one launch does not tell how another would be"


def blocks(times, launches):
    return [
        BlockRecord(
            **KEY,
            cell=cell(backend),
            launch=launch,
            round=number,
            position=0,
            steps=2,
            seconds=2 * times[backend](launch),
            noise=QUIET,
        )
        for backend in times
        for launch in range(launches)
        for number in range(2)
    ]


def test_the_widest_interval_counts_and_twins_do_not():
    arms = {"a": steady, "b": varying(1.0, 0.01, 1), "c": varying(1.0, 0.1, 2)}
    cells = [cell(name) for name in arms]
    found = Times(blocks({**arms, f"a{TWIN}": varying(1.0, 0.5, 3)}, 5))
    half = 3.1355 * 0.1 / 5**0.5  # Student's t of four degrees of freedom
    assert found.half_width([cells[0], cells[2]]) == pytest.approx(half, rel=1e-3)
    assert found.half_width([cells[0], cells[1]]) == pytest.approx(half / 10, rel=1e-3)
    assert found.half_width([*cells, cell(f"a{TWIN}")]) >= 0.999 * half
    assert found.half_width([*cells, cell(f"a{TWIN}")]) < 2 * half
    assert found.half_width(cells[:1]) == 0
    assert found.half_width([*cells, cell("never")]) == inf
    assert Times(blocks(arms, 1)).half_width(cells) == inf


def test_a_cell_has_the_mean_of_its_launches():
    found = summary({"a": lambda launch: [1.0, 2.0, 4.0, 8.0, 16.0][launch]})
    assert found.cells[0].step_seconds.value == pytest.approx(4.0)
    assert found.cells[0].samples_per_second == pytest.approx(2.0)


def phase(which, execution, seconds, samples=()):
    place = cell("a").model_copy(update={"execution": execution})
    return PhaseRecord(**KEY, cell=place, phase=which, seconds=seconds, samples=list(samples))


def executed(eager, compiled, *more):
    """The compiled cell of a backend whose step takes so long in both executions."""
    cells = {e: cell("a").model_copy(update={"execution": e}) for e in ("eager", "compiled")}
    records = [
        block.model_copy(update={"cell": cells[execution]})
        for execution, time in (("eager", eager), ("compiled", compiled))
        for block in blocks({"a": time}, 3)
    ]
    whole = manifest([]).model_copy(update={"cells": list(cells.values())})
    return summarise(whole, [*records, *more], []).cells[1]


def test_compiling_pays_once_its_time_is_made_up_for():
    times = (phase("compile", "eager", 1.0), phase("compile", "compiled", 11.0))
    half = executed(lambda _: 1.0, lambda _: 0.5, *times)
    assert half.break_even_steps == 20
    assert executed(lambda _: 1.0, lambda _: 1.0, *times).break_even_steps is None
    assert executed(lambda _: 1.0, lambda _: 0.5).break_even_steps is None
    assert executed(lambda _: 1.0, lambda _: 0.5, times[0], times[0]).break_even_steps is None


def test_latencies_are_percentiles_of_all_launches():
    launches = [phase("latency", "compiled", 1.0, range(1, 51)), phase("latency", "compiled", 1.0)]
    launches += [phase("latency", "compiled", 1.0, range(51, 102))]
    found = executed(lambda _: 1.0, lambda _: 1.0, *launches, phase("fed", "compiled", 9.0, [2.0]))
    assert (found.latency.p50, found.latency.p90, found.latency.p99) == (51, 91, 100)
    assert found.fed_seconds == 2.0


def test_the_cpu_time_of_a_step_is_the_median_of_the_blocks_that_count():
    shares = [2.0, 2.0, 2.5, 99.0, None]  # of blocks of 8 s for 4 steps
    beside = [
        block.model_copy(
            update={
                "noise": QUIET.model_copy(update={"cpu_per_wall": share}),
                "seconds": 8.0,
                "steps": 4,
                "void": "compiled meanwhile" if share == 99.0 else None,
            }
        )
        for block, share in zip(blocks(BOTH, 5)[:5], shares, strict=True)
    ]

    def cpu_seconds(records):
        return summarise(manifest(["a"]), records, []).cells[0].cpu_seconds

    assert cpu_seconds(beside) == 4.0
    assert cpu_seconds(beside[1:3]) == 4.5
    assert cpu_seconds(beside[3:]) is None
    assert cpu_seconds([]) is None


BOTH = {"a": lambda launch: 1.0, "b": lambda launch: 3.0}


@pytest.mark.parametrize("busy", [(0, 1, 2, 3, 4), (0, 1, 2)])
def test_a_cell_of_which_most_launches_stayed_disturbed_is_disturbed_and_gets_no_verdict(busy):
    found = summary(BOTH, beside=dict.fromkeys(busy, 0.77))
    assert {c.status for c in found.cells} == {"disturbed"}
    told = f"something else ran beside {6 * len(busy)} of 30 blocks that count, up to 77 % of the"
    assert {c.reason for c in found.cells} == {f"{told} time"}
    (comparison,) = found.comparisons
    assert comparison.verdict == "INCONCLUSIVE"
    assert comparison.reason == "something else ran beside both, up to 77 % of the time"
    assert found.disturbed_cells == 2
    assert found.notes[0] == (
        "Something else ran beside 2 of 2 cells, up to 77 % of the time: 2 of them stayed so when "
        "measured again, and got no rank."
    )


def test_a_few_disturbed_launches_are_told_and_spoil_no_cell():
    found = summary(BOTH, beside={0: 0.3, 3: 0.4})
    assert {c.status for c in found.cells} == {"ok"}
    assert found.cells[0].reason.startswith("something else ran beside 12 of 30 blocks")
    assert found.comparisons[0].verdict == "SLOWER"
    assert found.disturbed_cells == 2
    assert found.notes[0] == (
        "Something else ran beside 2 of 2 cells, up to 40 % of the time: less than half of what "
        "counts was so."
    )


def test_a_quiet_run_says_nothing_of_disturbances():
    found = summary(BOTH)
    assert found.disturbed_cells == 0
    assert not any("beside" in note for note in found.notes)
    assert {(c.status, c.reason) for c in found.cells} == {("ok", None)}


def test_what_slow_cores_disturbed_is_not_told_as_others_work():
    found = summary(BOTH, beside=dict.fromkeys(range(5), 0.06))
    assert found.cells[0].reason == (
        "the cores or the GPU were slower than usual beside 30 of 30 blocks that count"
    )


def test_launches_stand_beside_what_is_made_of_them():
    found = summary({"a": lambda launch: 1.0, "b": lambda launch: [1.0, 190.0, 2.0][launch]}, 3)
    assert found.cells[1].launch_seconds == [1.0, 190.0, 2.0]
    assert found.comparisons[0].launch_ratios == [1.0, 190.0, 2.0]


def test_an_aa_arm_that_is_not_determined_says_so():
    wild = {"a": steady, "b": varying(1.19, 0.001, 1), f"a{TWIN}": varying(1.0, 3, 2)}
    comparison = next(c for c in summary(wild).comparisons if c.new == "b")
    assert comparison.verdict == "INCONCLUSIVE"
    assert comparison.reason == "of identical code the A/A arm shows nothing: it is not determined"
