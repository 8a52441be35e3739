"""One colour and one marker shape per backend, the same in every figure.

The colours are Okabe and Ito's, which people with any colour vision tell apart and which stand
out from light and dark alike; the shape says it again for those who see none.
"""

from __future__ import annotations

from dataclasses import dataclass

KNOWN = {"torch": 0, "jax": 1, "tensorflow": 2}
COLOURS = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
SYMBOLS = ["circle", "square", "diamond", "triangle-up", "triangle-down", "star"]
FILLED, HOLLOW = "●■◆▲▼★", "○□◇△▽☆"


@dataclass(frozen=True, kw_only=True)
class Style:
    """How an arm is drawn; ``glyph`` is its marker as a character."""

    colour: str
    symbol: str
    glyph: str
    dash: str


def styles(arms: list[tuple[str, str]]) -> dict[tuple[str, str], Style]:
    """A style for each (backend, execution); eager is hollow and dashed."""
    backends = dict.fromkeys(backend for backend, _ in arms)
    places = {backend: KNOWN[backend] for backend in backends if backend in KNOWN}
    free = [place for place in range(len(COLOURS)) if place not in places.values()]
    for position, backend in enumerate(name for name in backends if name not in KNOWN):
        places[backend] = (free or [*range(len(COLOURS))])[position % len(free or COLOURS)]
    return {arm: _style(places[arm[0]], arm[1] == "eager") for arm in arms}


def _style(place: int, eager: bool) -> Style:
    return Style(
        colour=COLOURS[place],
        symbol=SYMBOLS[place] + ("-open" if eager else ""),
        glyph=(HOLLOW if eager else FILLED)[place],
        dash="dash" if eager else "solid",
    )
