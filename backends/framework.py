"""What an adapter declares of its framework: a file ``framework.py`` in its folder, with FRAMEWORK.
The suite reads it without importing the framework. A class of another package declares its own as
``declares``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NUMBERS = "numbers"  # how precise they are, or in which order they are added up
THREADS = "threads"  # how many there are, and where
# When variables are set for every worker, whatever its framework:
ON_CPU = "on the CPU"
GROWING = "on a GPU"  # its memory is shared, and taken when it is needed
PREALLOCATED = "on a GPU where times are measured"
CACHE = "compiled code is kept"  # in ``{folder}``, or ``{quoted}`` for a C string of it
OWN_CACHE = "compiled code is kept by this run alone"  # beside what CACHE sets
UNTUNED = "on a GPU where nothing is timed"
UNTOLD = "always, without being recorded"  # what is printed


@dataclass(frozen=True, kw_only=True)
class Library:
    """The environment variables that a library reads. ``begins`` are how all of them begin, or
    many; ``reads`` has the known ones, {what they change: names}. ``flags`` are lists of options,
    or name a file of them. Names that begin as ``on_gpu`` matter on a GPU only.
    """

    name: str
    begins: tuple[str, ...] = ()
    reads: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    on_gpu: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Framework(Library):
    """One that an adapter is for. ``sets`` has what workers get, {when: {variable: value}};
    variables in ``threads`` get the number of threads. ``companions`` are how the names of packages
    begin that compute for it; their versions are recorded. ``out_of_memory`` is a regular
    expression for how it says so, where it has words of its own. ``colour`` is its place in the
    palette of the pages, and in tables; without one it has a free one. ``weights`` has
    how the names of files end that ``backends.NAME.weights`` reads, and whether it writes them too.
    """

    sets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    threads: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    out_of_memory: str = ""
    colour: int | None = None
    weights: Mapping[str, bool] = field(default_factory=dict)
