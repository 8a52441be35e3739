"""One colour and one marker shape per backend, the same in every figure.

The colours are Okabe and Ito's, which people with any colour vision tell apart and which stand
out from light and dark alike; the shape says it again for those who see none.
"""

from __future__ import annotations

from dataclasses import dataclass

from suite.worker.frameworks import KNOWN

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


Styles = dict[tuple[str, str], Style]  # by backend and execution


def styles(arms: list[tuple[str, str]]) -> Styles:
    """A style for each (backend, execution); eager is hollow and dashed. A backend has the colour
    that its framework declares, else one that is free.
    """
    declared = {name: each.colour for name, each in KNOWN.items() if each.colour is not None}
    places: dict[str, int] = {}
    for backend in sorted(dict(arms), key=lambda name: name not in declared):
        free = [place for place in range(len(COLOURS)) if place not in places.values()]
        usual = free[0] if free else len(places) % len(COLOURS)
        wanted = declared.get(backend, usual)
        places[backend] = wanted if wanted in free else usual
    return {arm: _style(places[arm[0]], arm[1] == "eager") for arm in arms}


def _style(place: int, eager: bool) -> Style:
    return Style(
        colour=COLOURS[place],
        symbol=SYMBOLS[place] + ("-open" if eager else ""),
        glyph=(HOLLOW if eager else FILLED)[place],
        dash="dash" if eager else "solid",
    )
