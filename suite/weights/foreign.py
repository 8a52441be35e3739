"""Formats that a framework knows: read and written in a worker of its installation, so that what a
damaged file does to its reader ends that worker and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from suite.engine.arrays import Arrays
from suite.files import scratch
from suite.weights import npz
from suite.weights.contents import Contents, WeightsError, refused, regular, shown
from suite.worker.client import Client
from suite.worker.frameworks import KNOWN
from suite.worker.installations import discover
from suite.worker.process import Limits, Worker, WorkerError, WorkerLost, WorkerSettings

BYTES, TIMES = 16 << 30, 4  # of address space: what importing takes, and for each byte of the file
SECONDS = 300.0


def read(path: Path, framework: str, pythons: Mapping[str, str]) -> Contents:
    """Every array of a file, as the reader in ``backends/FRAMEWORK`` finds it."""
    with refused(path):
        size_bytes = regular(path).stat().st_size
    with _worker(path, framework, pythons, size_bytes) as (client, folder):
        made = folder / "made.npz"
        names = client.read_weights(framework, str(path.absolute()), str(made))
        arrays = npz.read(made).arrays
    return Contents(arrays={name: arrays[str(number)] for number, name in enumerate(names)})


def encoded(arrays: Arrays, end: str, framework: str, pythons: Mapping[str, str]) -> bytes:
    """A file of these arrays, whose name ends so."""
    size_bytes = sum(array.nbytes for array in arrays.values())
    with _worker(Path(f"a {end} file"), framework, pythons, size_bytes) as (client, folder):
        given, made = folder / "given.npz", folder / f"made{end}"
        given.write_bytes(npz.encoded({str(n): a for n, a in enumerate(arrays.values())}))
        client.write_weights(framework, [*arrays], str(given), str(made))
        return made.read_bytes()


@contextmanager
def _worker(
    path: Path, framework: str, pythons: Mapping[str, str], size_bytes: int
) -> Iterator[tuple[Client, Path]]:
    found = {each.name: each for each in discover(pythons, wanted=(framework,))}[framework]
    if found.interpreter is None:
        raise WeightsError(f"{path} needs {KNOWN[framework].name}, which is not there: {found.why}")
    limits = Limits(answer_seconds=SECONDS, memory_bytes=BYTES + TIMES * size_bytes)
    with scratch() as folder:
        try:
            settings = WorkerSettings(limits=limits)
            with Worker(found.interpreter, folder / "log", settings=settings) as worker:
                yield Client(worker), folder
        except (WorkerError, WorkerLost) as error:
            why = shown(str(error).partition("; see ")[0])
            raise WeightsError(f"{path} is not read: {why}") from None
