"""Specs as JSON and back: how a task travels to a worker, and what its hash is taken of."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from hashlib import sha256
from typing import Any

from tasks.base import Splits, Task
from tasks.spec import CrossEntropy, ModelSpec, Optimizer

LATER = {
    "milestones": [],
    "initial_deviation": 1.0,
    "truncated_normal": None,
    "inputs": {"in order": []},
    "ties": [],
    "smoothing": 0.0,
    "schedule": "constant",
    "decay_steps": None,
    "Conv2d.groups": 1,
    "MaxPool.padding": 0,
    "AvgPool.padding": 0,
    "AvgPool.count_padding": True,
    "BatchNorm.scale": True,
    "Embedding.scale": 1.0,
    "PositionalEncoding.layout": "interleaved",
    "PositionalEmbedding.offset": 0,
    "PositionalEmbedding.count": "all",
    "PositionalEmbedding.rows": None,
    "Attention.key_value_heads": None,
    "Attention.key_bias": False,
    "Attention.biases": True,
    "Attention.rotary": None,
    "LSTM.bidirectional": False,
    "GRU.bidirectional": False,
    "BatchNorm.over": "batch",
}  # fields that specs had not at first, in every class or in this one


@dataclass(frozen=True, kw_only=True)
class NamedData:
    """Stands for a task's data where only its name is needed."""

    name: str

    def load(self) -> Splits:
        raise NotImplementedError(f"only the coordinator loads the data of {self.name}")


def bare(model: ModelSpec, optimizer: Optimizer, batch_size: int) -> Task:
    """A task without data, for a model that is looked at and not trained to an end."""
    return Task(
        name=model.name,
        model=model,
        data=NamedData(name="none"),
        loss=CrossEntropy(),
        optimizer=optimizer,
        batch_size=batch_size,
        timed_batch_size=batch_size,
        epochs=1,
    )


def portable(task: Task) -> Task:
    """The task without what loads its data and weights, which workers need not be able to
    import.
    """
    return replace(task, data=NamedData(name=task.data.name), weights=None)


def encode(value: Any) -> Any:
    """Frozen dataclasses become objects that name their class (``module:Class``) in "is", mappings
    such that have their pairs "in order".
    """
    if is_dataclass(value) and not isinstance(value, type):
        kind = f"{type(value).__module__}:{type(value).__qualname__}"
        return {"is": kind} | {f.name: encode(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {"in order": [[key, encode(item)] for key, item in value.items()]}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    return value


def decode(value: Any) -> Any:
    """The inverse of ``encode``; lists become tuples."""
    if isinstance(value, dict) and "in order" in value:
        return {key: decode(item) for key, item in value["in order"]}
    if isinstance(value, dict):
        module, _, name = value["is"].partition(":")
        kind = getattr(importlib.import_module(module), name)
        return kind(**{key: decode(item) for key, item in value.items() if key != "is"})
    if isinstance(value, list):
        return tuple(decode(item) for item in value)
    return value


def spec_hash(task: Task) -> str:
    """Twelve hexadecimal digits that change with the model, loss, optimizer or recipe."""
    encoded = encode(portable(task))
    # What computes nothing.
    for name in ("target_accuracy", "score", "real_size", "on_request", "weights"):
        del encoded[name]
    text = json.dumps(_as_before(encoded), sort_keys=True)
    return sha256(text.encode()).hexdigest()[:12]


def _as_before(value: Any) -> Any:
    """Without the later fields that have their default, so that older runs' hashes hold."""
    if isinstance(value, dict):
        kind = value.get("is", "").rpartition(":")[2]
        kept = {
            key: item
            for key, item in value.items()
            if item not in (LATER.get(key, ...), LATER.get(f"{kind}.{key}", ...))
        }
        return {key: _as_before(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [_as_before(item) for item in value]
    return value
