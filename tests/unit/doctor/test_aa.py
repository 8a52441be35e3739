"""Identical code as two arms: what is said of the intervals."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from suite.doctor import aa
from tests.fixtures.doctor_answers import FAILURE


def test_aa_passes_inside_delta_alone_and_never_fails():
    quiet = [[exp(x)] * 6 for x in (0.001, -0.002, 0.003, 0.0, -0.001)]
    assert aa.answer("torch", "t", quiet, []).verdict == "pass"
    noisy = [[exp(x)] * 6 for x in (0.08, -0.07, 0.09, 0.0, -0.06)]
    found = aa.answer("torch", "t", noisy, [])
    assert found.verdict == "warning"
    assert "verdicts finer than that are noise" in found.finding
    one_sided = [[exp(0.2 + x)] * 6 for x in (0.001, -0.002, 0.003)]
    assert aa.answer("torch", "t", one_sided, []).verdict == "warning"
    wild = aa.answer("torch", "t", [[1.0], [190.0], [14.0]], []).finding
    assert "(not determined: launches differ 190-fold)" in wild
    assert "3: not known" in wild
    missing = aa.answer("torch", "t", quiet[:1], [FAILURE])
    assert missing.verdict == "warning"
    assert "the worker died" in missing.finding


def test_half_widths_are_those_that_so_many_launches_would_have():
    logs = np.random.default_rng(0).normal(0, 1, 5)
    logs = 0.02 * (logs - logs.mean()) / logs.std(ddof=1)
    found = aa.estimate([[exp(x)] for x in logs])
    widths = aa.half_widths(found, 5)
    assert widths[5] == pytest.approx(exp(3.1355 * 0.02 / 5**0.5) - 1, rel=1e-3)
    assert widths[16] == pytest.approx(exp(2.3178 * 0.02 / 4) - 1, rel=1e-3)
    assert sorted(widths.values(), reverse=True) == list(widths.values())
