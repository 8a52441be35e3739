"""Functions of one variable. MLX computes exp, erf and sigmoid in float32 on the CPU whatever the
precision, and expm1, log and tanh in the array's own: in float64 the former are made of the latter.
"""

from __future__ import annotations

from math import pi, sqrt

import mlx.core as mx

from tribench_mlx.arrays import scalar

TERMS, FAR = 130, 6.0  # of erf's series; beyond FAR it is 1 to the last bit


@mx.custom_function
def _exp(x: mx.array) -> mx.array:
    return mx.expm1(x) + 1.0


@_exp.vjp
def _exp_vjp(x: mx.array, cotangent: mx.array, output: mx.array) -> mx.array:
    return cotangent * output


@mx.custom_function
def _erf(x: mx.array) -> mx.array:
    """2/sqrt(π) exp(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (2n + 1)!! (Abramowitz and Stegun, 7.1.6)."""
    near = mx.clip(x, -FAR, FAR)
    term = total = near
    for n in range(1, TERMS):
        term = term * (near * near) * scalar(2 / (2 * n + 1), x)
        total = total + term
    return _slope(near) * total


@_erf.vjp
def _erf_vjp(x: mx.array, cotangent: mx.array, output: mx.array) -> mx.array:
    return cotangent * _slope(x)


def _slope(x: mx.array) -> mx.array:
    return scalar(2 / sqrt(pi), x) * exp(-(x * x))


def exp(x: mx.array) -> mx.array:
    """e to the x; in float64 to an absolute error of 1e-16."""
    return _exp(x) if x.dtype == mx.float64 else mx.exp(x)


def erf(x: mx.array) -> mx.array:
    """The error function."""
    return _erf(x) if x.dtype == mx.float64 else mx.erf(x)


def sigmoid(x: mx.array) -> mx.array:
    """1 / (1 + exp(-x))."""
    return 0.5 * (1.0 + mx.tanh(0.5 * x)) if x.dtype == mx.float64 else mx.sigmoid(x)
