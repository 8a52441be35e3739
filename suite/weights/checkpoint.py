"""Whose model a file's arrays are: by the names of a library, with sizes that the arrays tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from suite.engine.arrays import Arrays
from suite.plan.options import UsageError
from suite.weights.contents import Contents, WeightsError, shown
from tasks.models.catalogue import MODELS, Known, Size
from tasks.models.names import Match, Names, match, own, told
from tasks.models.tables import TABLES
from tasks.spec import ModelSpec, Shape, SpecError

OURS = "tribench"  # whose names need no table
FLOATS = ("float16", "float32", "float64")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model as a file has it. ``arrays`` are the file's under the library's own names: after
    ``taken_off`` and ``put_on`` at their beginnings; ``stored`` are their types in the file.
    """

    model: ModelSpec
    sizes: Mapping[str, Size]
    names: Names
    arrays: Arrays
    stored: Mapping[str, str]
    found: Match
    taken_off: str
    put_on: str
    left_out: tuple[str, ...]

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        trained = self.model.parameters()
        return sum(array.size for path, array in self.found.ours.items() if path in trained)

    @property
    def not_finite(self) -> list[str]:
        """The paths of arrays with a NaN or an infinity in them."""
        return [p for p, array in self.found.ours.items() if not np.isfinite(array).all()]

    def whole(self) -> Arrays:
        """Parameters and buffers by path; WeightsError where they are not the model's."""
        if not self.found.whole:
            raise WeightsError(shown(told(self.found, self.model)))
        return dict(self.found.ours)


def table(library: str, model: str) -> Names:
    """The names of a model's arrays in a library; UsageError where there is no such table."""
    if model not in MODELS:
        raise UsageError(f"no model {model!r}; there are {', '.join(MODELS)}")
    if library == OURS:
        return Names()
    if library not in TABLES:
        raise UsageError(f"no library {library!r}; there are {OURS}, {', '.join(TABLES)}")
    if model not in TABLES[library]:
        there = ", ".join(TABLES[library])
        raise UsageError(f"{library} has no {model}; of its models there are {there}")
    return TABLES[library][model]


def look(
    contents: Contents,
    model: str,
    library: str,
    sizes: Mapping[str, Size],
    leave_out: Sequence[str] = (),
) -> Checkpoint:
    """A file's arrays as the model's. ``leave_out`` are patterns of names in the file that are none
    of it. UsageError for sizes that no such model has; WeightsError where nothing is the model's.
    """
    names, known = table(library, model), MODELS[model]
    kept, left_out = dict[str, str](), list[str]()
    for name in contents.arrays:
        if any(fnmatchcase(name, pattern) for pattern in leave_out):
            left_out.append(name)
        else:
            kept[name] = names.newer(name)
    taken_off, put_on = _prefix(names, known, set(kept.values()))
    arrays, stored = Arrays(), dict[str, str]()
    for name, newer in kept.items():
        inside = newer.startswith(taken_off)
        full = put_on + newer.removeprefix(taken_off) if inside else newer
        if full in arrays:
            raise WeightsError(f"two arrays are {shown(full)}, of which one is {shown(name)}")
        arrays[full], stored[full] = contents.arrays[name], contents.type_of(name)
    made, chosen = _model(model, known, sizes, names, arrays)
    found = match(names, made, arrays)
    if not found.ours and not found.misshapen:
        first = next(iter(found.missing.values()))
        raise WeightsError(
            f"the file has nothing of {model} by the names of {library}: not even {first}, but "
            f"{len(arrays)} arrays, as {shown(next(iter(arrays), 'none'))}"
        )
    for path, array in found.ours.items():
        if str(array.dtype) not in FLOATS:
            name = names.theirs(path)
            raise WeightsError(
                f"{shown(name)} is stored as {stored[name]}; allowed are bfloat16, "
                f"{', '.join(FLOATS)}"
            )
    return Checkpoint(
        model=made,
        sizes=chosen,
        names=names,
        arrays=arrays,
        stored=stored,
        found=found,
        taken_off=taken_off,
        put_on=put_on,
        left_out=tuple(left_out),
    )


def _prefix(names: Names, known: Known, there: set[str]) -> tuple[str, str]:
    """What stands before the library's names in the file, as ``module.`` of DataParallel, and what
    does not and should, as ``bert.`` of a bare BertModel: what finds most of the published model's.
    """
    wanted = dict.fromkeys(names.theirs(path) for path in known.make().parameters())
    first = next(iter(wanted))
    choices = [("", "")]
    choices += [(n.removesuffix(first), "") for n in sorted(there) if n.endswith(f".{first}")]
    choices += [("", first.removesuffix(n)) for n in sorted(there) if first.endswith(f".{n}")]

    def finds(choice: tuple[str, str]) -> int:
        off, on = choice
        return sum(off + name.removeprefix(on) in there for name in wanted if name.startswith(on))

    return max(choices, key=finds)


def _model(
    model: str, known: Known, given: Mapping[str, Size], names: Names, arrays: Arrays
) -> tuple[ModelSpec, dict[str, Size]]:
    """The spec at the sizes that are given, that the arrays tell, or that a probe has."""
    published = known.published
    for name, size in given.items():
        if name not in published:
            raise UsageError(f"{model} has no size {name!r}; there are {', '.join(published)}")
        if isinstance(size, tuple) != isinstance(published[name], tuple):
            what = "comma lists" if isinstance(size, int) else "one number"
            raise UsageError(f"--size {name} of {model} takes {what}")

    def shapes(path: str) -> Shape | None:
        return own(names, path, arrays).shape if names.theirs(path) in arrays else None

    sizes = {**known.probe, **known.sizes(shapes), **given}
    for name, size in sizes.items():
        if min(size if isinstance(size, tuple) else (size,), default=0) < 1:
            raise WeightsError(f"{model} cannot have {name}={size}")
    if sizes.get("width") not in (None, published["width"]):
        for name in known.untold:
            if name not in given:
                raise UsageError(
                    f"{model} of width {sizes['width']}: its arrays do not tell {name}; give "
                    f"--size {name}=NUMBER"
                )
    try:
        return replace(known.make(**sizes), name=model), sizes
    except (SpecError, ArithmeticError) as error:
        raise WeightsError(f"no {model} has these sizes: {shown(error)}") from None
