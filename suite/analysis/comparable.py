"""What two runs' machines and software differ by, and whether it forbids comparing. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    told: list[tuple[str, Mapping[str, str], Mapping[str, str]]] = [
        ("setting ", base.settings, new.settings),
        ("", {"system": base.system}, {"system": new.system}),
        ("coordinator's ", base.coordinator, new.coordinator),
    ]
    for ours, theirs in ((base.backends, new.backends), (base.facts, new.facts)):
        both = sorted(ours.keys() & theirs.keys())
        told += [(f"{name}: ", ours[name], theirs[name]) for name in both]
    found += [
        Difference(what=f"{where}{name}", base=old, new=now, matters=where == "setting ")
        for where, ours, theirs in told
        for name in sorted(ours.keys() | theirs.keys())
        if (old := ours.get(name, "not set")) != (now := theirs.get(name, "not set"))
    ]
    return found


def other_work(base: Digest, new: Digest, cell: Cell) -> str | None:
    """Why a cell that both have is not the same work; None if it is."""
    ours, theirs = base.tasks.get(cell.task, {}), new.tasks.get(cell.task, {})
    for key, word in (
        *(("spec", "another model or recipe"), ("data_hash", "another data")),
        ("weights", "a start from other weights"),
    ):
        if ours.get(key) != theirs.get(key):
            return word
    return None


def machines(environments: Sequence[Environment]) -> list[int]:
    """The number of each one's machine, counted from 0 as they come: times of the same number can
    be compared.
    """
    known: list[Environment] = []
    numbers = []
    for one in environments:
        alike = (
            n
            for n, other in enumerate(known)
            if not any(each.matters for each in differences(other, one))
        )
        number = next(alike, len(known))
        known += [one] if number == len(known) else []
        numbers.append(number)
    return numbers


def _alike(name: str, a: object, b: object) -> bool:
    if name == "memory_bytes" and isinstance(a, int) and isinstance(b, int):
        return abs(a - b) <= NEARLY * max(a, b)
    return a == b


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(value) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
