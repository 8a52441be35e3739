"""What programs say, in English and in French: the message catalogues of JupyterLab (its language
pack for French, BSD-3-Clause) and of Trac (BSD-3-Clause), 4,600 messages, 0.2 MB of English.

Split by the sha256 of the source's words: a tenth is test, a twentieth validation, the rest train.
Of sources that have the same words, whatever their case, signs and spaces, the first stands for
all. So none of them is in two parts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from tasks.base import Splits
from tasks.data.mo import CatalogueError, messages
from tasks.data.pairs import Pairs, Text

ACCELERATORS = re.compile(r"[&_](?=\w)")  # before the letter that a key picks
WORD = re.compile(r"[^\W_]+")
SHARES = 20  # of which 2 are test and 1 is validation


@dataclass(frozen=True)
class Package:
    """Where an installed package has its catalogues, and the sha256 of all of them."""

    requirement: str
    module: str
    folder: str
    checksum: str


PACKAGES = (
    Package(
        "jupyterlab-language-pack-fr-FR==4.5.post3",
        "jupyterlab_language_pack_fr_FR",
        "locale/fr_FR/LC_MESSAGES",
        "63fdee0ce0fe44c8f0de06eb0e79293f1dc873599308d88aa2add0261c4629d9",
    ),
    Package(
        "Trac==1.6",
        "trac",
        "locale/fr/LC_MESSAGES",
        "9fe5cda5d8f3777be179c7c80b4bbe9b7c9523f84f09e3b72b740466a2a48265",
    ),
)


@dataclass(frozen=True, kw_only=True)
class MessagePairs(Pairs):
    """Messages as tokens."""

    @property
    def name(self) -> str:
        return f"messages in English and French, {self.train} x {self.steps} of {self.vocabulary}"

    def load(self) -> Splits:
        """Raises CatalogueError."""
        return _load(self)


@cache  # the seeds of a task share one: the subwords take a second
def _load(data: MessagePairs) -> Splits:
    return data.splits(divided(texts()), CatalogueError)


def words(source: str) -> str:
    """What two sources have in common that are the same but for case, signs and spaces."""
    return " ".join(WORD.findall(ACCELERATORS.sub("", source).casefold()))


def divided(pairs: Sequence[Text]) -> dict[str, list[Text]]:
    """train, validation and test, in an order without meaning; sources without words are left
    out.
    """
    first: dict[str, Text] = {}
    for source, translation in pairs:
        first.setdefault(words(source), (source, translation))
    first.pop("", None)
    parts: dict[str, list[Text]] = {"train": [], "validation": [], "test": []}
    for digest, pair in sorted(
        (sha256(key.encode()).digest(), pair) for key, pair in first.items()
    ):
        share = int.from_bytes(digest[:8]) % SHARES
        parts[("test", "test", "validation", *["train"] * (SHARES - 3))[share]].append(pair)
    return parts


def texts() -> list[Text]:
    """Every message of every package, in the order of the files' names; no package is imported."""
    return [pair for package in PACKAGES for pair in _messages(package)]


def _messages(package: Package) -> list[Text]:
    found = find_spec(package.module)
    if found is None or not found.submodule_search_locations:
        what = f"messages are in a package that is missing: pip install {package.requirement}"
        raise CatalogueError(what)
    folder = Path(found.submodule_search_locations[0], package.folder)
    files = sorted(folder.glob("*.mo"), key=lambda file: file.name)
    try:
        contents = [file.read_bytes() for file in files]
    except OSError as error:
        raise CatalogueError(f"{error.filename} cannot be read: {error.strerror}") from error
    checksum = sha256(b"".join(contents)).hexdigest()
    if checksum != package.checksum:
        what = f"the {len(files)} catalogues in {folder} are others than those of"
        why = f"their sha256 is {checksum}, not {package.checksum}"
        raise CatalogueError(f"{what} {package.requirement}: {why}")
    both = zip(files, contents, strict=True)
    return [pair for file, content in both for pair in messages(file, content)]
