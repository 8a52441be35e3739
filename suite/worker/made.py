"""Environments that tribench makes for an arm: by pip, from requirements, kept in the user's cache
folder and found again by what is in them.

pip's own settings hold: PIP_CONSTRAINT, PIP_INDEX_URL, PIP_FIND_LINKS, PIP_NO_INDEX, its files. uv
is not used, which has other settings and would not find what pip finds.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from suite.errors import CommandError
from suite.files import write_whole, writing
from suite.worker.environment import NEVER
from suite.worker.private import without_private

OPTIONS = {  # pip's that requirements may have, and whether a value follows
    **dict.fromkeys(("-r", "--requirement", "-c", "--constraint"), True),
    **dict.fromkeys(("-f", "--find-links", "-i", "--index-url", "--extra-index-url"), True),
    **dict.fromkeys(("--no-index", "--no-deps", "--pre"), False),
}
FILES = ("-r", "--requirement", "-c", "--constraint")  # whose contents count
DECIDING = "PIP_"  # what variables begin with that decide what pip takes
NUMPY = "numpy>=1.26"  # which every worker needs
NAME = re.compile(r"[A-Za-z_][\w.-]*(@[\w.-]+)?", re.ASCII)
MADE = "made.json"  # written last: what has it is whole


class MakingError(CommandError):
    """An environment that cannot be made."""


class InstallError(MakingError):
    """What pip refuses, and ``why`` in its own words."""

    def __init__(self, told: str, why: str) -> None:
        super().__init__(told)
        self.why = why


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An arm's environment: ``name`` is the backend's, with ``@label`` for another arm of it;
    ``words`` are what pip is given.
    """

    name: str
    words: tuple[str, ...]

    @property
    def requirements(self) -> tuple[str, ...]:
        """The words that are no options and no values of theirs."""
        return tuple(word for word, of in options(self.words) if of is None)

    @property
    def shown(self) -> str:
        """What may be told of it: addresses may hold an account."""
        kept = [(word, of) for word, of in options(self.words) if of is None or of in FILES]
        told = (word if of is None else f"{of} {Path(word).name}" for word, of in kept)
        return " ".join(word for word in told if "://" not in word)


@dataclass(frozen=True, kw_only=True)
class Made:
    """What there is: its folder's name, what it was made of, and when."""

    name: str
    requirements: str
    python: str
    created: str
    size_bytes: int = 0


def wanted(value: str) -> Wanted:
    """What ``NAME[@LABEL]=REQUIREMENTS`` asks for; MakingError if it is none."""
    name, equals, text = value.partition("=")
    form = "it must be NAME=REQUIREMENTS or NAME@LABEL=REQUIREMENTS"
    if not NAME.fullmatch(name) or not equals:
        raise MakingError(f"--with {value}: {form}")
    try:
        words = split(text)
    except ValueError as error:
        raise MakingError(f"--with {value}: {error}") from None
    if not words:
        raise MakingError(f"--with {value}: {form}")
    return Wanted(name=name, words=words)


def split(text: str) -> tuple[str, ...]:
    """What pip is given; ValueError for options that are not pip's to have here."""
    words = tuple(shlex.split(text))
    for _ in options(words):
        pass
    return words


def options(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """The values, each with the option that it follows; ValueError for options that are not pip's
    to have here.
    """
    left = iter(words)
    for word in left:
        option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if not word.startswith("-"):
            yield word, None
        elif option not in OPTIONS:
            raise ValueError(f"pip's option {option} cannot be given; {', '.join(OPTIONS)} can")
        elif equals:
            yield value, option
        elif OPTIONS[option]:
            value = next(left, "")
            if not value:
                raise ValueError(f"{option} needs a value")
            yield value, option
        else:
            yield "", option


def make(asked: Wanted, folder: Path, tell: Callable[[str], None]) -> str:
    """The interpreter of the environment, which is made in the folder unless it is there; ``tell``
    is told what takes long. MakingError with what pip says.
    """
    place = folder / folder_name(asked)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _alone(place, tell):
        if not (place / MADE).exists():
            _make(asked, place, tell)
    return str(place / "bin" / "python")


def folder_name(asked: Wanted) -> str:
    """That changes with all that decides what is installed."""
    texts = {}
    for value, option in options(asked.words):
        if option in FILES:
            try:
                texts[value] = Path(value).read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                raise MakingError(
                    f"--with {asked.name}: {value} cannot be read: {error.strerror}"
                ) from None
    deciding = {k: v for k, v in os.environ.items() if k.startswith(DECIDING)}
    python = (sys.version, platform.machine())
    content = json.dumps([python, sorted(asked.words), texts, deciding], sort_keys=True)
    backend = asked.name.partition("@")[0]
    return f"{backend}-{sha256(content.encode()).hexdigest()[:12]}"


@contextmanager
def _alone(place: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """While nobody else makes or removes it."""
    path = place.with_name(f"{place.name}.lock")
    with writing(path):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"another tribench makes {place.name}; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _make(asked: Wanted, place: Path, tell: Callable[[str], None]) -> None:
    log = place.with_name(f"{place.name}.log")
    has_numpy = any(re.match(r"numpy\b", each, re.IGNORECASE) for each in asked.requirements)
    words = [*asked.words, *([] if has_numpy else [NUMPY])]
    pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", *words]
    tell(f"making the environment of {asked.name}: pip install {asked.shown}")
    shutil.rmtree(place, ignore_errors=True)
    with writing(log):
        output = log.open("wb")
    with output:
        for line in (
            [sys.executable, "-m", "venv", str(place)],
            [str(place / "bin" / "python"), *pip],
        ):
            ended = subprocess.run(
                line,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={name: value for name, value in os.environ.items() if name not in NEVER},
                check=False,
            )
            if ended.returncode:
                shutil.rmtree(place, ignore_errors=True)
                why = _why(log.read_text(errors="replace"))
                told = f"--with {asked.name}={asked.shown}: {why}; see {log}"
                raise InstallError(told, why)
    made = Made(
        name=place.name,
        requirements=asked.shown,
        python=platform.python_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_whole(place / MADE, json.dumps(asdict(made)))


def _why(log: str) -> str:
    """pip's last error, else its last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.partition("ERROR: ")[2] for line in lines if "ERROR: " in line]
    told = [*lines[-1:], *errors] or ["pip said nothing"]
    return without_private(told[-1])


def home() -> Path:
    """The folder of all that tribench made."""
    import pooch

    try:
        return Path(pooch.os_cache("tribench"), "environments")
    except RuntimeError:  # of platformdirs
        why = "there is no home folder to keep environments in"
        raise MakingError(f"{why}; set XDG_CACHE_HOME") from None


def every(folder: Path) -> list[Made]:
    """The whole ones, by name."""
    found = []
    for path in sorted(folder.glob(f"*/{MADE}")):
        told = Made(**json.loads(path.read_text(encoding="utf-8")))
        files = (file for file in path.parent.rglob("*") if not file.is_symlink())
        size = sum(file.stat().st_size for file in files if file.is_file())
        found.append(Made(**{**asdict(told), "size_bytes": size}))
    return found


def remove(name: str, folder: Path) -> None:
    """Remove one with its log."""
    place = folder / name
    with _alone(place, lambda text: None):
        shutil.rmtree(place)
    for end in ("log", "lock"):
        place.with_name(f"{name}.{end}").unlink(missing_ok=True)
