"""What a file of weights holds, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from suite.engine.arrays import Arrays
from suite.errors import CommandError

MOST_SIGNS = 200  # of what a reader says, and of a name


class WeightsError(CommandError):
    """A file of weights that cannot be read or is not the model's, and why."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Arrays by the file's names. ``stored`` has the types of those that are held in another."""

    arrays: Arrays
    stored: Mapping[str, str] = field(default_factory=dict)

    def type_of(self, name: str) -> str:
        """As the file has it."""
        return self.stored.get(name, str(self.arrays[name].dtype))


def shown(text: object) -> str:
    """What a file says, in one line that is not too long."""
    line = " ".join("".join(s if s.isprintable() else " " for s in str(text)).split())
    return line if len(line) <= MOST_SIGNS else f"{line[:MOST_SIGNS]}..."


def regular(path: Path) -> Path:
    """The path of a file; WeightsError for what is none, which may have no end."""
    with refused(path):
        if path.is_dir():
            raise WeightsError(f"{path} is a folder; give the file of weights in it")
        if not path.exists():
            raise WeightsError(f"{path} is not there")
        if not path.is_file():
            raise WeightsError(f"{path} is no regular file")
    return path


@contextmanager
def refused(path: Path, *errors: type[Exception], what: str = "") -> Iterator[None]:
    """Whatever the system refuses inside, and these errors, are a WeightsError about the path."""
    try:
        yield
    except WeightsError:
        raise
    except MemoryError:
        raise WeightsError(f"{path} does not fit into memory") from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or shown(error)}") from None
    except errors as error:
        raise WeightsError(f"{path} {what}: {shown(error)}") from None
