"""Layers on sequences as NumPy computes them."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, Context, lowers
from backends.numpy.layers.arithmetic import (
    Bools,
    Floats,
    Gradient,
    Gradients,
    Lowered,
    Parameters,
    affine,
    einsum,
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
            rows = layer.scale * dy
            gradient = Gradient(scattered(rows), lambda: scattered(np.abs(rows)))
            return None, {"weight": gradient}

        return layer.scale * weight[x], vjp

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
        weight, on = parameters["weight"], np.ones(x.shape[:2], dtype=bool)
        if layer.count == "valid":
            on = valid_steps(context, x)
        at = layer.offset + np.cumsum(on, axis=1)[on] - 1

        def scattered(dy: Floats) -> Floats:
            table = np.zeros_like(weight)
            np.add.at(table, at, dy[on])
            return table

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            return dy, {"weight": Gradient(scattered(dy), lambda: scattered(np.abs(dy)))}

        y = x.copy()
        y[on] += weight[at]
        return y, vjp

    @lowers(spec.Rotary)
    def rotary(
        self, layer: spec.Rotary, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (..., steps, features)."""
        cos, sin = layer.tables(x.shape[-2]).astype(x.dtype)
        halves = layer.layout == "halves"

        def turned(x: Floats, sin: Floats) -> Floats:
            a, b = np.split(x, 2, axis=-1) if halves else (x[..., 0::2], x[..., 1::2])
            pair = a * cos - b * sin, a * sin + b * cos
            y = np.concatenate(pair, -1) if halves else np.stack(pair, -1).reshape(x.shape)
            return y.view(type(x))  # joined operands are none themselves: see backends.formats

        return turned(x, sin), lambda dy: (turned(dy, -sin), {})

    @lowers(spec.Attention)
    def attention(
        self,
        layer: spec.Attention,
        parameters: Parameters,
        x: Floats | tuple[Floats, Floats],
        context: Context,
    ) -> Lowered:
        """x is (batch, steps, features), or so is the memory beside it."""
        first, memory = x if isinstance(x, tuple) else (x, x)
        valid = context.memory_valid if isinstance(x, tuple) else context.valid
        temperature = sqrt(layer.head_width)
        group = layer.heads // layer.shared_heads
        projections = {
            name: affine(spec.local(parameters, name), first if name == "query" else memory)
            for name in ("query", "key", "value")
        }
        split = {name: (*y.shape[:2], -1, layer.head_width) for name, (y, _) in projections.items()}
        query, key, value = (y.reshape(split[name]) for name, (y, _) in projections.items())
        query, query_vjp = self._turned(layer, query, context)
        key, key_vjp = self._turned(layer, key, context)
        key, value = key.repeat(group, axis=2), value.repeat(group, axis=2)

        seen: Bools = np.ones((first.shape[1], memory.shape[1]), dtype=bool)
        if layer.causal:
            seen = np.tril(seen)
        if valid is not None:
            seen = seen & valid[:, None, None, :]
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
        y, output_vjp = affine(spec.local(parameters, "output"), mixed.reshape(first.shape))

        def vjp(dy: Floats) -> tuple[Any, Gradients]:
            dmixed, output_gradients = output_vjp(dy)
            dmixed = self.cast(dmixed.reshape(query.shape), self.precision)
            dweights = einsum("nqhd,nkhd->nhqk", dmixed, value)
            spread = (dmixed * mixed).sum(axis=-1).transpose(0, 2, 1)[..., None]
            dscores = weights * (dweights - spread) / temperature
            upstream = {
                "query": query_vjp(einsum("nhqk,nkhd->nqhd", dscores, key)),
                "key": key_vjp(shared(einsum("nhqk,nqhd->nkhd", dscores, query))),
                "value": shared(einsum("nhqk,nqhd->nkhd", weights, dmixed)),
            }
            parts, gradients = {}, _below("output", output_gradients)
            for name, (y, projection_vjp) in projections.items():
                parts[name], found = projection_vjp(upstream[name].reshape(y.shape))
                gradients |= _below(name, found)
            if isinstance(x, tuple):
                return (parts["query"], parts["key"] + parts["value"]), gradients
            return parts["query"] + parts["key"] + parts["value"], gradients

        def shared(dy: Floats) -> Floats:
            """The sum over the heads that a head of keys or values serves."""
            found: Floats = dy.reshape(*dy.shape[:2], -1, group, layer.head_width).sum(axis=3)
            return found

        return y, vjp

    def _turned(
        self, layer: spec.Attention, x: Floats, context: Context
    ) -> tuple[Floats, Callable[[Floats], Floats]]:
        """Queries or keys (batch, steps, heads, features), where they are rotary."""
        if layer.rotary is None:
            return x, lambda dy: dy
        lowering = self.lowering(layer.rotary)
        y, vjp = lowering(layer.rotary, {}, x.swapaxes(1, 2), context)
        return y.swapaxes(1, 2), lambda dy: vjp(dy.swapaxes(1, 2))[0].swapaxes(1, 2)

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
