"""Is it the same precision? The errors of a program in its own precision, in units of what correct
arithmetic of that precision makes of the same values.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log10

from suite.parity.compare import Errors, errors, first, worst
from suite.parity.ensemble import UNIT
from suite.parity.findings import look_inside
from suite.parity.inquiry import Inquiry, all_finite, finite, named
from suite.parity.kinks import without_flips
from suite.parity.thresholds import PRECISION
from suite.store.schema import ParityResult, ParityVerdict

PARTS = ("activations", "predictions", "loss", "gradients", "buffers")
MOST_DIGITS = -log10(UNIT)  # that float32 holds


def ask(inquiry: Inquiry, function: Callable[[], ParityVerdict]) -> ParityResult:
    """The verdict; ``function`` is asked whether it is the same function where less is kept than
    the precision allows. Raises what Worker.call raises, and ReferenceFailed.
    """
    material, model = inquiry.material, inquiry.material.task.model
    wanted, null = inquiry.reference.findings(material), inquiry.reference.null(material)
    found = look_inside(inquiry.crew, inquiry.lane, material, inquiry.files)
    every = errors(found, wanted, PARTS)
    clean, flip = without_flips(every, model, found, wanted)
    ratios = null.ratios(clean)
    key = max(ratios, key=lambda name: ratios[name])
    same = inquiry.result(
        "precision",
        error=finite(ratios[key]),
        errors=all_finite(worst(ratios)),
        threshold=PRECISION,
        digits=_digits(every),
        reason=flip and f"rounding took another branch in {flip}: no gradient before it was judged",
    )
    at = first(ratios, model, dict.fromkeys(ratios, PRECISION))
    if at is None:
        return same
    location, kept = at[1], _digits({at[0]: every[at[0]]}).get(at[0], 0.0)
    words = [named(location), f"{kept:.1f} digits kept"]
    words += [f"{ratios[at[0]]:.0f} times the error of correct {inquiry.lane.precision} arithmetic"]
    verdict = "precision_loss" if function() in ("same", "precision_loss") else "different"
    return same.model_copy(
        update={"verdict": verdict, "location": location, "reason": ", ".join(words)}
    )


def _digits(every: Errors) -> dict[str, float]:
    """The decimal digits that are kept of activations and gradients."""
    return {
        key: round(min(MOST_DIGITS, max(0.0, -log10(error))) if error else MOST_DIGITS, 2)
        for key, error in every.items()
        if key.startswith(("activations/", "gradients/"))
    }
