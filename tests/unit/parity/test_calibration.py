"""How thresholds follow from what correct programs reach and what known mistakes make."""

from __future__ import annotations

from math import isclose

import pytest

from suite.parity.calibration import HEADROOM, NotCorrect, derive, rederived
from suite.parity.thresholds import LIMITS, Extreme
from tests.fixtures.sample_parity import PROGRAMS, all_the_same, answer

MISTAKES = {
    name: Extreme(value=value, where=f"the smallest of {name}")
    for name, value in (("function", 3e-5), ("alone", 2e-3), ("drills", 1e-7))
}


def test_in_float64_midway_between_correct_programs_and_mistakes():
    limits = derive(all_the_same(), MISTAKES, {"cnn-tiny": 1})
    for name, worst in (("function", 3e-15), ("alone", 2e-13), ("drills", 1e-15)):
        limit = getattr(limits, name)
        assert limit.correct.value == worst
        assert limit.mistake == MISTAKES[name]
        above = limit.threshold / worst
        assert isclose(above, limit.mistake.value / limit.threshold, rel_tol=0.3)
    assert limits.programs == sorted(" ".join(program) for program in PROGRAMS)


def test_in_float32_above_the_worst_of_correct_programs():
    worse = answer("cnn-tiny", PROGRAMS[2], "precision", error=2.01, seed=7)
    limits = derive([*all_the_same(), worse], MISTAKES, {})
    assert limits.precision["float32"].threshold == 8.1
    assert limits.precision["float32"].correct.where == "cnn-tiny, jax compiled, seed 7"
    assert limits.training.threshold == 5.6


def test_a_precision_alone_is_derived_and_the_others_stay():
    mixed = answer("cnn-tiny", PROGRAMS[1], "precision", error=1.5, precision="bfloat16")
    limits = rederived(LIMITS, [mixed])
    assert limits.precision["bfloat16"].threshold == 6.0
    assert limits.precision["float32"] == LIMITS.precision["float32"]
    assert limits.function == LIMITS.function
    with pytest.raises(NotCorrect, match="nothing is known of precision"):
        rederived(LIMITS, [])


def test_another_function_derives_nothing():
    wrong = answer("cnn-tiny", PROGRAMS[2], "function", verdict="different", reason="layer fc")
    with pytest.raises(NotCorrect, match="cnn-tiny, jax compiled, seed 0 is different: layer fc"):
        derive([*all_the_same(), wrong], MISTAKES, {})


def test_a_mistake_that_would_pass_derives_nothing():
    small = MISTAKES | {"alone": Extreme(value=1e-13, where="epsilon")}
    with pytest.raises(
        NotCorrect, match=r"epsilon makes 1\.0e-13 of alone, no more than the correct"
    ):
        derive(all_the_same(), small, {})


def test_nothing_asked_derives_nothing():
    with pytest.raises(NotCorrect, match="nothing is known of function"):
        derive([], MISTAKES, {})


def test_what_is_recorded_was_derived():
    assert len(LIMITS.programs) == 5
    assert all(LIMITS.seeds.values())
    for limit in (LIMITS.function, LIMITS.alone, LIMITS.drills):
        middle = (limit.correct.value * limit.mistake.value) ** 0.5
        assert middle <= limit.threshold <= 1.1 * middle
    for limit in (*LIMITS.precision.values(), LIMITS.training):
        most = HEADROOM * limit.correct.value
        assert most <= limit.threshold <= 1.1 * most
