"""Containers and whole models.

A body is a tuple of entries: a name and a layer, which takes the value before it, or else the names
of the values that it takes. A name is looked up among the entries before it in its own body, then
in the bodies around it, then among the model's inputs; "" is what the body was given.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf, prod
from typing import Any

from tasks.spec.dense import Dropout
from tasks.spec.layer import Layer, Parameter, Shape, SpecError

Entry = tuple[str, Layer] | tuple[str, Layer, tuple[str, ...]]
Layers = tuple[Entry, ...]


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
    """A layer where it stands in a model: its dotted path, and the shapes there. ``sources`` are
    the paths of the values that it takes; an input's is its name, "" where there is one.
    """

    path: str
    layer: Layer
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    sources: tuple[str, ...] = ("",)

    @property
    def input_shape(self) -> Shape:
        """That of the first value."""
        return self.input_shapes[0]


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A whole model, of one ``input`` or of ``inputs`` by name, of which the first is what the body
    was given. Making one checks that every layer fits what it takes. Of ``ties`` the first path is
    the second parameter, in another place: it has no values, moments or gradient of its own, and
    the gradients of all places add up.
    """

    name: str
    layers: Layers
    input: Input | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict, hash=False)
    ties: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        # Equal in this order alone: the first input is another one in another order.
        object.__setattr__(self, "inputs", OrderedDict(self.inputs))
        if (self.input is None) == (not self.inputs) or "" in self.inputs:
            raise SpecError(f"{self.name} takes one input, or inputs that have names")
        seen: set[str] = set()
        for path in _paths(self.layers):
            if path in self.inputs:
                raise SpecError(f"{self.name}: a layer has the name of the input {path}")
            if path in seen:
                raise SpecError(f"{self.name}: two layers have the path {path}")
            seen.add(path)
        every, tied = self._every_parameter(), dict(self.ties)
        for path, owner in self.ties:
            what = f"{self.name}: the tie of {path} to {owner}"
            for name in (path, owner):
                if name not in every:
                    raise SpecError(f"{what}: there is no parameter {name}")
            if every[path].shape != every[owner].shape:
                shapes = f"{every[path].shape} is not {every[owner].shape}"
                raise SpecError(f"{what}: shape {shapes}")
            if owner in tied:
                raise SpecError(f"{what}: {owner} is tied itself")
            if tied[path] != owner:
                raise SpecError(f"{what}: {path} is tied to {tied[path]} too")

    @property
    def every_input(self) -> Mapping[str, Input]:
        """By name, in order; one alone has the name ""."""
        return self.inputs if self.input is None else {"": self.input}

    def places(self) -> list[Place]:
        """All layers in the order of computing; a residual stands after its layers, for its sum."""
        try:
            return _places(self.layers, self.every_input)
        except SpecError as error:
            raise SpecError(f"{self.name}: {error}") from None

    def valid(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The valid steps of every value, by its path, an input's by its name, of those of inputs;
        None is all steps.
        """
        found = {name: given.get(name) for name in self.every_input}
        for place in self.places():
            found[place.path] = place.layer.valid(*(found[source] for source in place.sources))
        return found

    def parameters(self) -> dict[str, Parameter]:
        """Every trained array by dotted path; a tied one is its owner's."""
        tied = dict(self.ties)
        return {path: p for path, p in self._every_parameter().items() if path not in tied}

    def size(self) -> int:
        """How many numbers training changes."""
        return sum(prod(each.shape) for each in self.parameters().values())

    def parameters_of(self, place: Place) -> set[str]:
        """The paths of the arrays that the layer at this place is given."""
        owners = dict(self.ties)
        own = (f"{place.path}.{name}" for name in place.layer.parameters())
        return {owners.get(path, path) for path in own}

    def with_ties(self, arrays: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arrays of parameters by path, those that are tied too."""
        if not self.ties:
            return arrays
        return {**arrays, **{path: arrays[owner] for path, owner in self.ties}}

    def _every_parameter(self) -> dict[str, Parameter]:
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
        return replace(
            self, layers=_changed(self.layers, lambda at, old: layer if at == path else old)
        )

    @property
    def random(self) -> bool:
        """Whether training draws random numbers."""
        return any(place.layer.random for place in self.places())

    def without_dropout(self) -> ModelSpec:
        """The same with every rate 0, which frameworks compute alike: what parity asks about."""
        if not self.random:
            return self

        def still(path: str, layer: Layer) -> Layer:
            return replace(layer, rate=0.0) if isinstance(layer, Dropout) else layer

        return replace(self, layers=_changed(self.layers, still))

    def output_shape(self) -> Shape:
        """The shape of one sample's result."""
        return self.places()[-1].output_shape

    @property
    def tokens(self) -> int | None:
        """Of a sample that is a text, how many get a result, padding too; None of others."""
        text, shape = (
            any(given.vocabulary for given in self.every_input.values()),
            self.output_shape(),
        )
        return shape[0] if text and len(shape) == 2 else None

    def flops(self) -> int:
        """Operations of one sample's forward pass (see Layer.flops)."""
        return sum(place.layer.flops(*place.input_shapes) for place in self.places())


def _changed(layers: Layers, change: Callable[[str, Layer], Layer], prefix: str = "") -> Layers:
    """With what ``change`` makes of every plain layer, given its path."""

    def changed(name: str, layer: Layer) -> Layer:
        match layer:
            case Sequential():
                return replace(layer, layers=_changed(layer.layers, change, f"{prefix}{name}."))
            case Residual():
                branches = (layer.layers, layer.shortcut)
                inner, shortcut = (_changed(each, change, prefix) for each in branches)
                return replace(layer, layers=inner, shortcut=shortcut)
        return change(prefix + name, layer)

    return tuple((entry[0], changed(*entry[:2]), *entry[2:]) for entry in layers)


def _paths(layers: Layers, prefix: str = "") -> Iterator[str]:
    """Those of all entries, of containers too."""
    for name, layer, *_ in layers:
        yield prefix + name
        match layer:
            case Sequential():
                yield from _paths(layer.layers, f"{prefix}{name}.")
            case Residual():
                yield from _paths(layer.layers + layer.shortcut, prefix)


def _names(layers: Layers) -> frozenset[str]:
    """Those that are taken. Plain words: torch.compile breaks at a cached property, and at
    ``frozenset[str]()``.
    """
    found: frozenset[str] = frozenset()
    for entry in layers:
        if len(entry) > 2:
            found = found.union(entry[2])
        layer = entry[1]
        if isinstance(layer, Sequential):
            found |= _names(layer.layers)
        elif isinstance(layer, Residual):
            found |= _names(layer.layers) | _names(layer.shortcut)
    return found


@dataclass(eq=False)
class _Value:
    """Stands for an array while the layers are looked at."""

    shape: Shape
    path: str = ""
    taken: bool = False

    def __str__(self) -> str:
        return str(self.shape)


def _places(layers: Layers, inputs: Mapping[str, Input]) -> list[Place]:
    given = {name: _Value(each.shape, name) for name, each in inputs.items()}
    values, places = [*given.values()], list[Place]()

    def step(path: str, layer: Layer, given: tuple[_Value, ...]) -> _Value:
        shapes = tuple(value.shape for value in given)
        if not isinstance(layer, Residual):
            _check_number(path, layer, given)
            try:
                made = layer.output_shape(*shapes)
            except SpecError as error:
                raise SpecError(f"{path}: {error}") from None
        elif shapes[0] == shapes[1]:
            made, shapes = shapes[0], shapes[:1]
        else:
            what = "shortcut" if layer.shortcut else "input"
            raise SpecError(
                f"{path} adds shape {shapes[1]} of its layers to its {what} of {shapes[0]}"
            )
        for value in given:
            value.taken = True
        sources = tuple(value.path for value in given)
        places.append(
            Place(path=path, layer=layer, input_shapes=shapes, output_shape=made, sources=sources)
        )
        values.append(_Value(made, path))
        return values[-1]

    _run(layers, values[0], step, _All(), around=given).taken = True
    for number, value in enumerate(values):
        if not value.taken:
            kind = "the input" if number < len(given) else "the value of"
            what = f"{kind} {value.path}".strip()
            raise SpecError(f"no entry takes {what}, of shape {value.shape}")
    return places


class _All:
    """Every name."""

    def __contains__(self, name: object) -> bool:
        return True


def walk(
    layers: Layers,
    x: Any,
    apply: Callable[[str, Layer, Any], Any],
    observe: Callable[[str, Any], None] = lambda path, value: None,
) -> Any:
    """Compute ``layers`` on x, or on inputs by name in the model's order: ``apply(path, layer, x)``
    does each plain layer, containers are walked here; x is a tuple where a layer takes several
    values. ``observe(path, value)`` sees every result, sums of residuals included.
    """

    def step(path: str, layer: Layer, given: tuple[Any, ...]) -> Any:
        if isinstance(layer, Residual):
            y = given[0] + given[1]
        else:
            y = apply(path, layer, given if len(given) > 1 else given[0])
        observe(path, y)
        return y

    inputs = x if isinstance(x, dict) else {"": x}
    # What nobody names is let go of: eager predictions would else hold every activation.
    return _run(layers, next(iter(inputs.values())), step, _names(layers), around=inputs)


def _run(
    layers: Layers,
    x: Any,
    step: Callable[[str, Layer, tuple[Any, ...]], Any],
    kept: Container[str],
    prefix: str = "",
    around: Mapping[str, Any] | None = None,
) -> Any:
    """The value of a body that is given x: ``step`` does plain layers and the sum of a residual,
    of its shortcut and its layers. Values whose names are ``kept`` can be taken.
    """
    named = {**(around or {}), "": x}
    for entry in layers:
        name, layer = entry[0], entry[1]
        path = prefix + name
        given = (x,) if len(entry) == 2 else _named(path, layer, entry[2], named)
        if isinstance(layer, Sequential):
            x = _run(layer.layers, given[0], step, kept, f"{path}.", named)
        elif isinstance(layer, Residual):
            inner = _run(layer.layers, given[0], step, kept, prefix, named)
            shortcut = _run(layer.shortcut, given[0], step, kept, prefix, named)
            x = step(path, layer, (shortcut, inner))
        else:
            x = step(path, layer, given)
        if name in kept:
            named[name] = x
    return x


def _named(
    path: str, layer: Layer, names: tuple[str, ...], named: Mapping[str, Any]
) -> tuple[Any, ...]:
    for name in names:
        if name not in named:
            before = ", ".join(map(repr, named))
            raise SpecError(
                f"{path} takes {name!r}, which is none of the values before it: {before}"
            )
    given = tuple(named[name] for name in names)
    _check_number(path, layer, given)
    return given


def _check_number(path: str, layer: Layer, given: tuple[Any, ...]) -> None:
    least, most = layer.takes
    if not least <= len(given) <= most:
        more = "" if most == least else f" or {'more' if most == inf else most}"
        wanted = f"{least} value{'s' * (least > 1)}{more}"
        found = f"{len(given)} of shape {', '.join(map(str, given))}" if given else "none"
        raise SpecError(f"{path}: {type(layer).__name__} takes {wanted}, not {found}")


def local(arrays: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The entries below ``path``, by their local names."""
    start = f"{path}."
    return {name[len(start) :]: a for name, a in arrays.items() if name.startswith(start)}
