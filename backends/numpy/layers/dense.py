"""Layers on the last axis as NumPy computes them."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
from scipy.special import erf, expit

from backends.base import Backend, Context, lowers
from backends.numpy.layers.arithmetic import (
    Floats,
    Gradients,
    Lowered,
    Parameters,
    affine,
    gradient,
    rows,
)
from tasks import spec


class Dense(Backend):
    """The lowerings."""

    @lowers(spec.ReLU)
    def relu(
        self, layer: spec.ReLU, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """Any shape."""
        return np.maximum(x, 0), lambda dy: ((x > 0) * dy, {})

    @lowers(spec.Dropout)
    def dropout(
        self, layer: spec.Dropout, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """Any shape."""
        if not (context.training and layer.random):
            return x, lambda dy: (dy, {})
        draws = np.random.default_rng((*context.random, context.number))
        factors = (draws.random(x.shape) >= layer.rate).astype(x.dtype) / (1 - layer.rate)
        return x * factors, lambda dy: (dy * factors, {})

    @lowers(spec.GELU)
    def gelu(
        self, layer: spec.GELU, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """Any shape."""
        if layer.approximate:
            inner = np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))
            below = (1 + inner) / 2
            slope = (1 - inner**2) / 2 * sqrt(2 / pi) * (1 + 3 * 0.044715 * x**2)
        else:
            below = (1 + erf(x / sqrt(2))) / 2
            slope = np.exp(-(x**2) / 2) / sqrt(2 * pi)
        return x * below, lambda dy: (dy * (below + x * slope), {})

    @lowers(spec.SiLU)
    def silu(
        self, layer: spec.SiLU, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """Any shape."""
        below = expit(x)
        return x * below, lambda dy: (dy * below * (1 + x * (1 - below)), {})

    @lowers(spec.Sigmoid)
    def sigmoid(
        self, layer: spec.Sigmoid, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """Any shape."""
        y = expit(x)
        return y, lambda dy: (dy * y * (1 - y), {})

    @lowers(spec.Tanh)
    def tanh(
        self, layer: spec.Tanh, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """Any shape."""
        y = np.tanh(x)
        return y, lambda dy: (dy * (1 - y**2), {})

    @lowers(spec.Linear)
    def linear(
        self, layer: spec.Linear, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (..., features)."""
        return affine(parameters, x)

    @lowers(spec.LayerNorm)
    def layer_norm(
        self, layer: spec.LayerNorm, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (..., features)."""
        deviation = x - x.mean(axis=-1, keepdims=True)
        variance = (deviation**2).mean(axis=-1, keepdims=True)
        root = np.sqrt(variance + layer.epsilon)
        normal = deviation / root

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            dnormal = dy * parameters["weight"]
            along = normal * (dnormal * normal).mean(axis=-1, keepdims=True)
            dx = (dnormal - dnormal.mean(axis=-1, keepdims=True) - along) / root
            return dx, {
                "weight": gradient("rf,rf->f", rows(dy), rows(normal)),
                "bias": gradient("rf->f", rows(dy)),
            }

        return normal * parameters["weight"] + parameters["bias"], vjp

    @lowers(spec.RMSNorm)
    def rms_norm(
        self, layer: spec.RMSNorm, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (..., features)."""
        root = np.sqrt((x**2).mean(axis=-1, keepdims=True) + layer.epsilon)
        normal = x / root

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            dnormal = dy * parameters["weight"]
            along = normal * (dnormal * normal).mean(axis=-1, keepdims=True)
            weight = gradient("rf,rf->f", rows(dy), rows(normal))
            return (dnormal - along) / root, {"weight": weight}

        return normal * parameters["weight"], vjp
