"""Text as tokens: its bytes, joined where they often stand together (byte pair encoding, Sennrich
et al., arXiv 1508.07909, algorithm 1; on bytes as GPT-2 does it).

Every text can be written, since every byte is a token. No library learns the pairs: their versions
do not agree, and tokens are data that must never change.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

BYTES = 256
# No token goes beyond one of these: a word, or signs, each with the space before it; more spaces.
PART = re.compile(r" ?[^\W\d_]+| ?\d| ?[^\w\s]+|\s|_")

Pair = tuple[int, int]


@dataclass(frozen=True)
class Subwords:
    """``pairs`` of tokens that are joined, in the order in which they were learnt: the first is
    token 256. A token below that is a byte.
    """

    pairs: tuple[Pair, ...]

    @cached_property
    def _rank(self) -> dict[Pair, int]:
        return {pair: rank for rank, pair in enumerate(self.pairs)}

    @cached_property
    def _known(self) -> dict[str, list[int]]:
        """Parts that were met before."""
        return {}

    def tokens(self, text: str) -> list[int]:
        """Of each part the pair that was learnt first is joined first."""
        found: list[int] = []
        for part in PART.findall(text):
            if part not in self._known:
                self._known[part] = self._joined([*part.encode()])
            found += self._known[part]
        return found

    def text(self, tokens: Iterable[int]) -> str:
        """The inverse; what is no text has U+FFFD."""
        return b"".join(map(self._bytes, tokens)).decode("utf-8", "replace")

    def _joined(self, part: list[int]) -> list[int]:
        while True:
            ranks = [self._rank[pair] for pair in pairwise(part) if pair in self._rank]
            if not ranks:
                return part
            part = join(part, self.pairs[min(ranks)], BYTES + min(ranks))

    def _bytes(self, token: int) -> bytes:
        if token < BYTES:
            return bytes([token])
        first, second = self.pairs[token - BYTES]
        return self._bytes(first) + self._bytes(second)


def learn(texts: Iterable[str], count: int) -> Subwords:
    """The ``count`` pairs that are most frequent, one after the other; of equally frequent ones
    that of the least tokens. Fewer, where no pair is left that stands twice.
    """
    seen = Counter(part for text in texts for part in PART.findall(text))
    parts, often = [[*part.encode()] for part in seen], [*seen.values()]
    frequency: Counter[Pair] = Counter()
    where: dict[Pair, set[int]] = defaultdict(set)
    for number, part in enumerate(parts):
        for pair in pairwise(part):
            frequency[pair] += often[number]
            where[pair].add(number)
    pairs: list[Pair] = []
    while len(pairs) < count and frequency:
        most = max(frequency.values())
        if most < 2:
            break
        best = min(pair for pair, times in frequency.items() if times == most)
        for number in where.pop(best):
            before, after = parts[number], join(parts[number], best, BYTES + len(pairs))
            for pair in pairwise(before):
                frequency[pair] -= often[number]
            for pair in pairwise(after):
                frequency[pair] += often[number]
                where[pair].add(number)
            parts[number] = after
        del frequency[best]
        pairs.append(best)
    return Subwords(tuple(pairs))


def join(part: Sequence[int], pair: Pair, token: int) -> list[int]:
    """Every such pair, from the left, as one token."""
    found: list[int] = []
    for each in part:
        if found and (found[-1], each) == pair:
            found[-1] = token
        else:
            found.append(each)
    return found
