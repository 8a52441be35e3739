"""From two sets of requirements to two arms of one backend."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

import suite
from suite.plan.options import UsageError
from suite.records.schema import Upgrade
from suite.worker.adapters import installed
from suite.worker.frameworks import KNOWN, REFERENCE
from suite.worker.made import Wanted, options, split

PROJECT = Path(suite.__file__).parents[1] / "pyproject.toml"
LISTS = ("-r", "--requirement")
LABEL = re.compile(r"[^\w.-]", re.ASCII)  # what a label cannot have
COMMENT = re.compile(r"(^|\s)#.*")
OLD, NEW = "old", "new"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The two arms, and what is told of them."""

    base: Wanted
    new: Wanted
    upgrade: Upgrade

    @property
    def arms(self) -> tuple[Wanted, Wanted]:
        """The older one first."""
        return self.base, self.new

    @property
    def names(self) -> tuple[str, str]:
        """The arms' names."""
        return self.base.name, self.new.name


def pair(old: str, new: str, backend: str | None, device: str) -> Pair:
    """The arms of an upgrade, each given as pip's requirements parted by spaces, or as a file of
    them. The backend is that of the requirements where none is named; what it needs beside them is
    added. UsageError for what is no requirement, or belongs to no backend or to several.
    """
    words = {OLD: _words(OLD, old), NEW: _words(NEW, new)}
    packages = {name: _packages(given) for name, given in words.items()}
    of = backend or _backend([*dict.fromkeys([*packages[OLD], *packages[NEW]])])
    labels = _labels(of, packages[OLD], packages[NEW])
    base, then = (
        Wanted(
            name=f"{of}@{label}",
            words=(*words[name], *_beside(packages[name], usual(of, device))),
        )
        for name, label in zip((OLD, NEW), labels, strict=True)
    )
    told = [Wanted(name=of, words=words[name]).shown for name in (OLD, NEW)]
    return Pair(
        base=base,
        new=then,
        upgrade=Upgrade(
            base=base.name,
            new=then.name,
            base_requirements=told[0],
            new_requirements=told[1],
        ),
    )


def usual(backend: str, device: str) -> list[Requirement]:
    """What tribench asks for where it makes the backend's environment itself: the extra of that
    name. None for a backend of another package.
    """
    extra = f"{backend}-cuda" if device == "cuda" else backend
    for found in installed():
        if found.name == "tribench":
            every = [Requirement(line) for line in found.requires or ()]
            ours = [one for one in every if one.marker and one.marker.evaluate({"extra": extra})]
            return [one for one in ours if one.marker and not one.marker.evaluate({"extra": ""})]
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    return [Requirement(line) for line in project["optional-dependencies"].get(extra, ())]


def _words(name: str, text: str) -> tuple[str, ...]:
    """What pip is given; a path to a .txt is a file of requirements."""
    try:
        words = split(text)
    except ValueError as error:
        raise UsageError(f"{name.upper()} ({text}): {error}") from None
    if not words:
        raise UsageError(f"{name.upper()} ({text}): it must have a requirement, as torch==2.12.0")
    own = {value for value, option in options(words) if option is None}
    files = {each for each in own if each.endswith(".txt")}
    return tuple(word for each in words for word in (("-r", each) if each in files else (each,)))


def _packages(words: Sequence[str]) -> dict[str, Requirement]:
    """The distributions that are asked for by name, as far as requirements tell it."""
    return {canonicalize_name(one.name): one for one in _requirements(words)}


def _requirements(words: Sequence[str]) -> Iterator[Requirement]:
    for value, option in options(words):
        if option is None and (found := _requirement(value)):
            yield found
        elif option in LISTS:
            yield from _listed(Path(value))


def _listed(file: Path) -> Iterator[Requirement]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the requirements of {file} cannot be read: {error}") from None
    for line in lines:
        text = COMMENT.sub("", line).strip()
        if (found := re.fullmatch(r"(?:-r|--requirement)[ =]?(.+)", text)) is not None:
            yield from _listed(file.parent / found[1].strip())
        elif found_ := _requirement(text):
            yield found_


def _requirement(text: str) -> Requirement | None:
    """A wheel is a requirement of its version; of a folder or an archive nothing is known."""
    with suppress(InvalidWheelFilename):
        name, version, *_ = parse_wheel_filename(Path(text).name)
        return Requirement(f"{name}=={version}")
    with suppress(InvalidRequirement):
        return Requirement(text)
    return None


def _backend(names: Sequence[str]) -> str:
    """The one that these distributions belong to."""
    known = {name: each for name, each in KNOWN.items() if name != REFERENCE}
    found = [
        adapter
        for adapter, framework in known.items()
        if any(
            name == adapter or name.startswith((f"{adapter}-", *framework.companions))
            for name in names
        )
    ]
    told = ", ".join(names) or "these requirements"
    if not found:
        there = ", ".join(known)
        why = f"{told} belong to no backend that is known"
        raise UsageError(f"{why}; name one by --backend: {there}")
    if len(found) > 1:
        raise UsageError(f"{told} belong to {' and '.join(found)}; name one by --backend")
    return found[0]


def _labels(
    backend: str, old: dict[str, Requirement], new: dict[str, Requirement]
) -> tuple[str, str]:
    """The versions that differ: of the backend's own distribution, else of another one with its
    name. ``old`` and ``new`` where none is told.
    """
    for name in dict.fromkeys([backend, *old]):
        versions = [_version(each.get(name)) for each in (old, new)]
        if all(versions) and versions[0] != versions[1]:
            begin = "" if name == backend else f"{name}-"
            before, after = (LABEL.sub("-", f"{begin}{version}") for version in versions)
            if before != after:
                return before, after
    return OLD, NEW


def _version(found: Requirement | None) -> str | None:
    """The one that is asked for, if it is one alone."""
    pinned: SpecifierSet = found.specifier if found else SpecifierSet()
    told = [each for each in pinned if each.operator in ("==", "===")]
    one = told[0].version if len(pinned) == len(told) == 1 else None
    return None if one is None or "*" in one else one


def _beside(given: dict[str, Requirement], needed: Sequence[Requirement]) -> Iterator[str]:
    """What is needed and not given. Of what is given the extras, which bring a device's build."""
    for each in needed:
        extras = f"[{','.join(sorted(each.extras))}]" if each.extras else ""
        if canonicalize_name(each.name) not in given:
            yield f"{each.name}{extras}{each.specifier}"
        elif extras:
            yield f"{each.name}{extras}"
