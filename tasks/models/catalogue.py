"""The models of ``tasks/models`` by name: what makes each, and which sizes its arrays tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from math import isqrt
from typing import Any

from tasks.models.bert import bert, roberta
from tasks.models.gpt2 import gpt2
from tasks.models.inception import inception_v3
from tasks.models.llama import llama
from tasks.models.resnet import resnet50, resnet50_v1
from tasks.models.transformer import transformer
from tasks.models.vgg import vgg16
from tasks.models.vit import vit_b16
from tasks.spec import ModelSpec, Shape

Shapes = Callable[[str], Shape | None]  # of the array of a path of ours, where there is one
Told = Callable[[Shapes], Any]  # a size, or None
Size = int | tuple[int, ...]

SHORT = 32  # steps


@dataclass(frozen=True, kw_only=True)
class Known:
    """A model by its name. ``told`` reads a size from the shapes of the arrays, by the name of the
    parameter of ``make``. What is ``untold`` must be given where the width is not the published
    one. ``probe`` has the sizes of a batch that takes seconds, where the arrays do not tell them.
    """

    make: Callable[..., ModelSpec]
    told: Mapping[str, Told]
    untold: tuple[str, ...] = ()
    probe: Mapping[str, int] = field(default_factory=dict)

    def sizes(self, shapes: Shapes) -> dict[str, Size]:
        """Those that the arrays tell."""
        found = {name: read(shapes) for name, read in self.told.items()}
        return {name: size for name, size in found.items() if size is not None}

    @property
    def published(self) -> dict[str, Any]:
        """Every size that can be given, as the published model has it."""
        return {
            name: each.default
            for name, each in signature(self.make).parameters.items()
            if isinstance(each.default, int | tuple) and not isinstance(each.default, bool)
        }


def axis(path: str, number: int = 0, per: int = 1) -> Told:
    """The length of an axis, one for each ``per``."""

    def read(shapes: Shapes) -> int | None:
        shape = shapes(path)
        return shape[number] // per if shape and len(shape) > number else None

    return read


def count(path: str) -> Told:
    """How many there are, from 0 on, where ``{}`` stands."""

    def read(shapes: Shapes) -> int | None:
        number = 0
        while shapes(path.format(number)) is not None:
            number += 1
        return number or None

    return read


def stages(shapes: Shapes) -> tuple[int, ...] | None:
    """How many blocks each stage of a ResNet has."""
    found = [count(f"layer{stage}.{{}}.conv1.weight")(shapes) or 0 for stage in range(1, 5)]
    return tuple(found) if all(found) else None


def steps(offset: int = 0) -> Told:
    """Of texts, 32 or as many as there are positions behind the first ``offset``."""

    def read(shapes: Shapes) -> int | None:
        shape = shapes("position.weight")
        return min(SHORT, shape[0] - offset) if shape else None

    return read


def side(shapes: Shapes) -> int | None:
    """Of a ViT's images, which are square."""
    places, patches = shapes("position.weight"), shapes("patches.weight")
    return isqrt(max(places[0] - 1, 0)) * patches[-1] if places and patches else None


RESNET: dict[str, Told] = {
    "classes": axis("fc.weight"),
    "width": axis("conv1.weight"),
    "blocks": stages,
}
INCEPTION: dict[str, Told] = {
    "classes": axis("fc.weight"),
    "width": axis("Conv2d_1a_3x3.conv.weight", per=2),
}
VIT: dict[str, Told] = {
    "classes": axis("head.weight"),
    "width": axis("patches.weight"),
    "patch": axis("patches.weight", 2),
    "layers": count("layers.{}.norm1.weight"),
    "hidden": axis("layers.0.linear1.weight"),
    "size": side,
}
TEXT: dict[str, Told] = {"vocabulary": axis("word.weight"), "width": axis("word.weight", 1)}
ENCODER: dict[str, Told] = TEXT | {
    "blocks": count("layer.{}.norm1.weight"),
    "hidden": axis("layer.0.linear1.weight"),
    "rows": axis("position.weight"),
}
BERT: dict[str, Told] = ENCODER | {"types": axis("type.weight"), "steps": steps()}
ROBERTA: dict[str, Told] = ENCODER | {"steps": steps(offset=2)}
CLASSES: dict[str, Told] = {"classes": axis("classifier.weight")}
SMALL, HEADS = {"size": 64}, ("heads",)

MODELS = {
    "resnet50": Known(make=resnet50, told=RESNET, probe=SMALL),
    "resnet50-v1": Known(make=resnet50_v1, told=RESNET, probe=SMALL),
    "vgg16": Known(
        make=vgg16,
        told={
            "classes": axis("classifier.6.weight"),
            "width": axis("features.0.weight"),
            "hidden": axis("classifier.0.weight"),
        },
    ),
    "inception-v3": Known(make=inception_v3, told=INCEPTION, probe={"size": 139}),
    "inception-v3-keras": Known(
        make=partial(inception_v3, scale=False, count_padding=False, momentum=0.01),
        told=INCEPTION,
        probe={"size": 139},
    ),
    "vit-b16": Known(make=vit_b16, told=VIT, untold=HEADS),
    "vit-b16-transformers": Known(make=partial(vit_b16, epsilon=1e-12), told=VIT, untold=HEADS),
    "bert-base": Known(make=bert, told=BERT, untold=HEADS),
    "bert-classifier": Known(
        make=partial(bert, name="bert-classifier", classes=2),
        told=BERT | CLASSES,
        untold=HEADS,
    ),
    "roberta-base": Known(make=roberta, told=ROBERTA, untold=HEADS),
    "roberta-classifier": Known(
        make=partial(roberta, name="roberta-classifier", classes=2),
        told=ROBERTA | CLASSES,
        untold=HEADS,
    ),
    "gpt2": Known(
        make=gpt2,
        told=TEXT
        | {"blocks": count("h.{}.norm1.weight"), "rows": axis("position.weight")}
        | {"steps": steps()},
        untold=HEADS,
    ),
    "llama-125m": Known(
        make=llama,
        told=TEXT
        | {
            "blocks": count("layers.{}.norm1.weight"),
            "hidden": axis("layers.0.gate.weight"),
        },
        untold=("heads", "key_value_heads"),
        probe={"steps": SHORT},
    ),
    "transformer-base": Known(
        make=transformer,
        told={
            "vocabulary": axis("source_word.weight"),
            "width": axis("source_word.weight", 1),
            "blocks": count("encoder.{}.norm1.weight"),
            "hidden": axis("encoder.0.linear1.weight"),
        },
        untold=HEADS,
    ),
}
