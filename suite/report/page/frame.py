"""What the pages of many runs have around and in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from suite.report.page.page import ASSETS, frame


def site_frame(scripts: Sequence[str], plotly_file: str = "") -> dict[str, Any]:
    """A page's frame with the style that these pages add."""
    filled = frame(plotly_file, scripts)
    return filled | {"style": filled["style"] + Markup((ASSETS / "site.css").read_text("utf-8"))}
