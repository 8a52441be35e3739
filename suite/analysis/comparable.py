"""What two runs' machines and software differ by, and whether it forbids comparing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.analysis.digest import Digest
from suite.records.schema import Cell, Difference, Environment

MACHINE = ("cpu", "cores", "threads", "memory_bytes", "container", "gpus")
NEARLY = 0.02  # of the memory, which a system may tell a little differently after each start


def differences(base: Environment, new: Environment) -> list[Difference]:
    """Of the environments, those that matter first: another machine or other process settings make
    times incomparable. Other versions do not: what they change is what one wants to know.
    """
    found = [
        Difference(what=name, base=_shown(a), new=_shown(b), matters=True)
        for name in MACHINE
        if not _alike(name, a := getattr(base, name), b := getattr(new, name))
    ]
    found += _told("setting ", base.settings, new.settings, matters=True)
    found += _told("", {"system": base.system}, {"system": new.system}, matters=False)
    found += _told("coordinator's ", base.coordinator, new.coordinator, matters=False)
    for name in sorted(base.backends.keys() & new.backends.keys()):
        found += _told(f"{name}: ", base.backends[name], new.backends[name], matters=False)
    for name in sorted(base.facts.keys() & new.facts.keys()):
        found += _told(f"{name}: ", base.facts[name], new.facts[name], matters=False)
    return found


def other_work(base: Digest, new: Digest, cell: Cell) -> str | None:
    """Why a cell that both have is not the same work; None if it is."""
    ours, theirs = base.tasks.get(cell.task, {}), new.tasks.get(cell.task, {})
    for key, word in (("spec", "model or recipe"), ("data_hash", "data")):
        if ours.get(key) != theirs.get(key):
            return f"another {word}"
    return None


def machines(environments: Sequence[Environment]) -> list[int]:
    """The number of each one's machine, counted from 0 as they come: times of the same number can
    be compared.
    """
    known: list[Environment] = []
    numbers = []
    for one in environments:
        alike = (n for n, other in enumerate(known) if not _apart(other, one))
        number = next(alike, len(known))
        known += [one] if number == len(known) else []
        numbers.append(number)
    return numbers


def _apart(base: Environment, new: Environment) -> bool:
    return any(difference.matters for difference in differences(base, new))


def _alike(name: str, a: object, b: object) -> bool:
    if name == "memory_bytes" and isinstance(a, int) and isinstance(b, int):
        return abs(a - b) <= NEARLY * max(a, b)
    return a == b


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(value) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _told(
    where: str, base: Mapping[str, str], new: Mapping[str, str], matters: bool
) -> Iterator[Difference]:
    for name in sorted(base.keys() | new.keys()):
        a, b = base.get(name, "not set"), new.get(name, "not set")
        if a != b:
            yield Difference(what=f"{where}{name}", base=a, new=b, matters=matters)
