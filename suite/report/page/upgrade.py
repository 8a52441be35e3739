"""An upgrade as a page beside that of its run; it needs no network."""

from __future__ import annotations

from markupsafe import Markup

from suite.analysis import upgrade as judged
from suite.analysis import words
from suite.records.schema import UpgradeFinding, UpgradeSummary
from suite.report import upgrade
from suite.report.page.page import frame, templates
from suite.report.page.snippets import on_axis, span_of

KINDS = {  # as whose the colours of a verdict are
    "MORE": "slower",
    "LESS": "faster",
    "DIFFERENT": "different",
}
CARDS = {"worse": "bad", "better": "good", "open": "caution", "unchanged": ""}


def render_upgrade(found: UpgradeSummary) -> str:
    """The page as HTML."""
    ratios = [
        end
        for each in found.findings
        if each.change is not None and each.aspect != "accuracy"
        for end in (each.change.low, each.change.high)
    ]
    reach = span_of(ratios)

    def axis(each: UpgradeFinding) -> Markup:
        if each.change is None or each.aspect == "accuracy" or each.delta is None:
            return Markup()
        return on_axis(reach, each.change, each.delta, kind(each), words.times(each.change))

    return (
        templates()
        .get_template("upgrade.html")
        .render(
            found=found,
            upgrade=upgrade,
            stops=judged.stops(found),
            axis=axis,
            kind=kind,
            card=card,
            **frame(("theme",), ""),
        )
    )


def kind(each: UpgradeFinding) -> str:
    """The class of its verdict's colour."""
    verdict = each.verdict or "none"
    if each.aspect == "accuracy" and verdict == "DIFFERENT":
        return "slower" if each.standing == "worse" else "faster"
    return KINDS.get(verdict, verdict.lower())


def card(tally: upgrade.Tally) -> str:
    """The class of an aspect: that of the gravest standing in it."""
    return next(CARDS[each] for each in upgrade.STANDINGS if tally.amounts[each])
