"""Layers on sequences as NumPy computes them."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, Context, lowers
from backends.numpy.layers.arithmetic import (
    Floats,
    Gradient,
    Gradients,
    Lowered,
    Parameters,
    affine,
    einsum,
    gradient,
    valid_steps,
)
from tasks import spec


class Sequence(Backend):
    """The lowerings."""

    @lowers(spec.Embedding)
    def embedding(
        self, layer: spec.Embedding, parameters: Parameters, x: NDArray[np.int32], context: Context
    ) -> Lowered:
        """x is (batch, steps)."""
        weight = parameters["weight"]

        def scattered(rows: Floats) -> Floats:
            table = np.zeros_like(weight)
            np.add.at(table, x, rows)
            return table

        def vjp(dy: Floats) -> tuple[None, Gradients]:
            gradient = Gradient(scattered(dy), lambda: scattered(np.abs(dy)))
            return None, {"weight": gradient}

        return weight[x], vjp

    @lowers(spec.PositionalEncoding)
    def positional_encoding(
        self, layer: spec.PositionalEncoding, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, steps, features)."""
        return x + layer.table(x.shape[1]).astype(x.dtype), lambda dy: (dy, {})

    @lowers(spec.PositionalEmbedding)
    def positional_embedding(
        self,
        layer: spec.PositionalEmbedding,
        parameters: Parameters,
        x: Floats,
        context: Context,
    ) -> Lowered:
        """x is (batch, steps, features)."""
        return x + parameters["weight"], lambda dy: (dy, {"weight": gradient("ntf->tf", dy)})

    @lowers(spec.Attention)
    def attention(
        self, layer: spec.Attention, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, steps, features)."""
        samples, steps, width = x.shape
        split = (samples, steps, layer.heads, width // layer.heads)
        temperature = sqrt(width / layer.heads)
        projections = {
            name: affine(spec.local(parameters, name), x) for name in ("query", "key", "value")
        }
        query, key, value = (y.reshape(split) for y, _ in projections.values())

        seen = valid_steps(context, x)[:, None, None, :]
        if layer.causal:
            seen = seen & np.tri(steps, dtype=bool)
        scores = einsum("nqhd,nkhd->nhqk", query, key) / temperature
        top = scores.max(axis=-1, keepdims=True, where=seen, initial=-np.inf)
        weights = np.exp(scores - top, where=seen, out=np.zeros_like(scores))
        # A row's weights sum to 1 at least, its greatest being exp(0); if it sees no step, to 0.
        weights = weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1)
        # In bfloat16 as fused kernels do, forward and backward (Dao et al. 2022, arXiv 2205.14135,
        # appendix B): the mean of what comes back to a row's weights is told by its rounded output,
        # which costs the queries' gradients a digit. PyTorch's in transformer-small had 11 times
        # the error of a softmax that is float32 throughout, 1.4 times that of this one.
        mixed = self.cast(einsum("nhqk,nkhd->nqhd", weights, value), self.precision)
        y, output_vjp = affine(spec.local(parameters, "output"), mixed.reshape(x.shape))

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            dmixed, output_gradients = output_vjp(dy)
            dmixed = self.cast(dmixed.reshape(split), self.precision)
            dweights = einsum("nqhd,nkhd->nhqk", dmixed, value)
            spread = (dmixed * mixed).sum(axis=-1).transpose(0, 2, 1)[..., None]
            dscores = weights * (dweights - spread) / temperature
            upstream = {
                "query": einsum("nhqk,nkhd->nqhd", dscores, key),
                "key": einsum("nhqk,nqhd->nkhd", dscores, query),
                "value": einsum("nhqk,nqhd->nkhd", weights, dmixed),
            }
            dx, gradients = np.zeros_like(x), _below("output", output_gradients)
            for name, (_, projection_vjp) in projections.items():
                part, found = projection_vjp(upstream[name].reshape(x.shape))
                dx, gradients = dx + part, gradients | _below(name, found)
            return dx, gradients

        return y, vjp

    @lowers(spec.LastStep)
    def last_step(
        self, layer: spec.LastStep, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, steps, features)."""
        valid = valid_steps(context, x)
        from_here = np.cumsum(valid[:, ::-1], axis=1)[:, ::-1]  # how many valid steps are left
        return _weighted_steps(valid & (from_here == 1), x)

    @lowers(spec.MeanSteps)
    def mean_steps(
        self, layer: spec.MeanSteps, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, steps, features)."""
        valid = valid_steps(context, x)
        return _weighted_steps(valid / np.maximum(valid.sum(axis=1, keepdims=True), 1), x)


def _below(name: str, gradients: Gradients) -> Gradients:
    return {f"{name}.{key}": gradient for key, gradient in gradients.items()}


def _weighted_steps(weights: NDArray[Any], x: Floats) -> Lowered:
    """The sum over steps of weights (batch, steps) times x (batch, steps, features)."""
    weights = weights.astype(x.dtype)
    return einsum("nt,ntf->nf", weights, x), lambda dy: (weights[..., None] * dy[:, None], {})
