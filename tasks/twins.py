"""Small twins of the tasks of real size: everything but the sizes is theirs. Parity of a twin takes
seconds where that of its model takes minutes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tasks import real
from tasks.base import Task
from tasks.models.bert import bert, roberta
from tasks.models.gpt2 import gpt2
from tasks.models.inception import inception_v3
from tasks.models.llama import llama
from tasks.models.resnet import resnet50
from tasks.models.transformer import transformer
from tasks.models.vgg import vgg16
from tasks.models.vit import vit_b16
from tasks.spec import ModelSpec

TEXT: dict[str, Any] = {"blocks": 2, "width": 16, "heads": 4, "vocabulary": 97}
TWINS = {
    "resnet50": resnet50(size=64, classes=10, width=8, blocks=(1, 1, 1, 1)),
    "vgg16": vgg16(size=32, classes=10, width=4, hidden=32),
    "inception-v3": inception_v3(size=107, classes=10, width=2),
    "vit-b16": vit_b16(size=32, patch=8, classes=10, layers=2, width=16, heads=4, hidden=24),
    "bert-base": bert(steps=16, rows=24, hidden=24, **TEXT),
    "roberta-base": roberta(steps=16, rows=24, hidden=24, **TEXT),
    "gpt2": gpt2(steps=16, rows=24, **TEXT),
    "llama-125m": llama(steps=16, hidden=24, key_value_heads=2, **TEXT),
    "transformer-base": transformer(12, 12, hidden=24, **TEXT),
}


def tasks() -> list[Task]:
    """In the order of the real ones."""
    return [_twin(task, TWINS[task.name]) for task in real.tasks()]


def _twin(task: Task, model: ModelSpec) -> Task:
    return replace(
        task,
        name=f"{task.name}-twin",
        model=replace(model, name=f"{task.name}-twin"),
        data=replace(task.data, model=model),  # type: ignore[type-var]
        real_size=False,
        on_request=True,
    )
