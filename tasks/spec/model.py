"""Containers and whole models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tasks.spec.layer import Layer, Parameter, Shape, SpecError

Layers = tuple[tuple[str, Layer], ...]


@dataclass(frozen=True, kw_only=True)
class Sequential(Layer):
    """Named layers, one after the other; its name leads their paths (``blocks.1.norm1``)."""

    layers: Layers


@dataclass(frozen=True, kw_only=True)
class Residual(Layer):
    """shortcut(x) + layers(x), where no shortcut is x itself. Its name stands for the sum; its
    layers' paths do without it.
    """

    layers: Layers
    shortcut: Layers = ()


@dataclass(frozen=True, kw_only=True)
class Input:
    """What a model is given: real values of this shape, or token ids below ``vocabulary``."""

    shape: Shape
    vocabulary: int | None = None


@dataclass(frozen=True, kw_only=True)
class Place:
    """A layer where it stands in a model: its dotted path, and the shapes there."""

    path: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A whole model. Making one checks that every layer fits the one before it."""

    name: str
    input: Input
    layers: Layers

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for place in self.places():
            if place.path in seen:
                raise SpecError(f"{self.name}: two layers have the path {place.path}")
            seen.add(place.path)

    def places(self) -> list[Place]:
        """All layers in the order of computing; a residual stands after its layers, for its sum."""
        return list(_places(self.name, self.layers, self.input.shape, ""))

    def parameters(self) -> dict[str, Parameter]:
        """Every trained array by dotted path."""
        return {
            f"{place.path}.{name}": parameter
            for place in self.places()
            for name, parameter in place.layer.parameters().items()
        }

    def buffers(self) -> dict[str, Parameter]:
        """Every buffer by dotted path."""
        return {
            f"{place.path}.{name}": buffer
            for place in self.places()
            for name, buffer in place.layer.buffers().items()
        }

    def with_layer(self, path: str, layer: Layer) -> ModelSpec:
        """The same with another plain layer at this path; SpecError if it does not fit."""
        return replace(self, layers=_with_layer(self.layers, path, layer, ""))

    def output_shape(self) -> Shape:
        """The shape of one sample's result."""
        return self.places()[-1].output_shape

    def flops(self) -> int:
        """Operations of one sample's forward pass (see Layer.flops)."""
        return sum(place.layer.flops(place.input_shape) for place in self.places())


def _with_layer(layers: Layers, path: str, new: Layer, prefix: str) -> Layers:
    def changed(name: str, layer: Layer) -> Layer:
        match layer:
            case Sequential():
                return replace(
                    layer, layers=_with_layer(layer.layers, path, new, f"{prefix}{name}.")
                )
            case Residual():
                branches = (layer.layers, layer.shortcut)
                inner, shortcut = (_with_layer(each, path, new, prefix) for each in branches)
                return replace(layer, layers=inner, shortcut=shortcut)
        return new if prefix + name == path else layer

    return tuple((name, changed(name, layer)) for name, layer in layers)


def _places(model: str, layers: Layers, shape: Shape, prefix: str) -> Iterator[Place]:
    for name, layer in layers:
        path, start = prefix + name, shape
        match layer:
            case Sequential():
                inner = list(_places(model, layer.layers, shape, f"{path}."))
                yield from inner
                shape = inner[-1].output_shape if inner else shape
                continue
            case Residual():
                ends = []
                for branch in (layer.layers, layer.shortcut):
                    inner = list(_places(model, branch, start, prefix))
                    yield from inner
                    ends.append(inner[-1].output_shape if inner else start)
                if ends[0] != ends[1]:
                    what = "shortcut" if layer.shortcut else "input"
                    raise SpecError(
                        f"{model}: {path} adds shape {ends[0]} of its layers to its {what} of "
                        f"{ends[1]}"
                    )
                shape = ends[0]
            case _:
                try:
                    shape = layer.output_shape(shape)
                except SpecError as error:
                    raise SpecError(f"{model}: {path}: {error}") from None
        yield Place(path=path, layer=layer, input_shape=start, output_shape=shape)


def walk(
    layers: Layers,
    x: Any,
    apply: Callable[[str, Layer, Any], Any],
    observe: Callable[[str, Any], None] = lambda path, value: None,
    prefix: str = "",
) -> Any:
    """Compute ``layers`` on x: ``apply(path, layer, x)`` does each plain layer, containers are
    walked here. ``observe(path, value)`` sees every result, sums of residuals included.
    """
    for name, layer in layers:
        path = prefix + name
        if isinstance(layer, Sequential):
            x = walk(layer.layers, x, apply, observe, f"{path}.")
        elif isinstance(layer, Residual):
            inner = walk(layer.layers, x, apply, observe, prefix)
            x = walk(layer.shortcut, x, apply, observe, prefix) + inner
            observe(path, x)
        else:
            x = apply(path, layer, x)
            observe(path, x)
    return x


def local(arrays: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The entries below ``path``, by their local names."""
    start = f"{path}."
    return {name[len(start) :]: a for name, a in arrays.items() if name.startswith(start)}
