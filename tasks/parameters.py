"""Parameter values from a seed, the same bits on every machine and NumPy version.

Each path has a random stream of its own, so that a new layer changes no other layer's values. The
numbers come from PCG64's raw 64-bit outputs, whose stream NumPy guarantees (NEP 19 does not extend
this to the distributions).
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from tasks.spec import ModelSpec, Parameter, Shape

Arrays = dict[str, NDArray[np.float64]]

PROBE_BOUND = 0.5  # for parameters that start constant: far from 0 and 1, and never constant


def uniform(seed: int, path: str, shape: Shape) -> NDArray[np.float64]:
    """Values in [-1, 1) on the grid of 2^-52, from the stream that belongs to (seed, path)."""
    return _even(_stream(seed, path), prod(shape)).reshape(shape)


def ids(seed: int, path: str, shape: Shape, vocabulary: int) -> NDArray[np.int32]:
    """Whole numbers below ``vocabulary``, each as likely, from the stream of (seed, path)."""
    return ((uniform(seed, path, shape) + 1) / 2 * vocabulary).astype(np.int32)


def truncated_normal(seed: int, path: str, shape: Shape) -> NDArray[np.float64]:
    """Values in [-1, 1): half of those of the standard normal distribution that lie in [-2, 2).

    Even values are kept with the probability that is their density over that of 0. So each has the
    bits of the stream; ``exp`` decides only what is kept, in its last bit once in 1e15 values.
    """
    stream, count, kept = _stream(seed, path), prod(shape), np.empty(0)
    while len(kept) < count:
        values, chance = _even(stream, count), (_even(stream, count) + 1) / 2
        kept = np.concatenate([kept, values[chance < np.exp(-2 * values**2)]])
    return kept[:count].reshape(shape)


def _stream(seed: int, path: str) -> np.random.PCG64:
    words = np.frombuffer(sha256(path.encode()).digest(), dtype="<u4")
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=tuple(int(w) for w in words)))


def _even(stream: np.random.PCG64, count: int) -> NDArray[np.float64]:
    raw = np.asarray(stream.random_raw(count), dtype=np.uint64) >> np.uint64(11)
    return raw.astype(np.float64) * 2.0**-52 - 1.0


def rounded(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """To float32's values, so that every precision starts from the same."""
    return array.astype(np.float32).astype(np.float64)


def initial(model: ModelSpec, seed: int) -> Arrays:
    """What training starts from: {path: float64 array}."""
    return {path: _draw(seed, path, p, p.bound) for path, p in model.parameters().items()}


def probe(model: ModelSpec, seed: int) -> Arrays:
    """Parameters for parity: every value random, so that a bias or scale that is dropped shows; of
    those that start as a normal distribution even, and as large as a linear layer's. With BERT's
    deviation of 0.02 a mask that is dropped moved a small model's logits by 1e-5.
    """
    return {
        path: _draw(seed, path, replace(p, normal=False), _probe_bound(p))
        for path, p in model.parameters().items()
    }


def _probe_bound(parameter: Parameter) -> float:
    if parameter.normal:
        return 1 / sqrt(prod(parameter.shape[1:]))
    return parameter.bound or PROBE_BOUND


def initial_buffers(model: ModelSpec) -> Arrays:
    """The buffers before any training: {path: float64 array}."""
    return {path: np.full(b.shape, b.centre) for path, b in model.buffers().items()}


def probe_buffers(model: ModelSpec, seed: int) -> Arrays:
    """Buffers for parity: random too, so that evaluation shows whether they are used."""
    return {path: _draw(seed, path, b, PROBE_BOUND) for path, b in model.buffers().items()}


def _draw(seed: int, path: str, parameter: Parameter, bound: float) -> NDArray[np.float64]:
    drawn = truncated_normal if parameter.normal else uniform
    return parameter.centre + bound * drawn(seed, path, parameter.shape)
