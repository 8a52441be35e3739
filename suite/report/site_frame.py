"""What the pages of many runs have around and in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from suite.report.page import HERE, frame


def site_frame(scripts: Sequence[str], plotly_file: str = "") -> dict[str, Any]:
    """A page's frame with the style that these pages add."""
    filled = frame(plotly_file, scripts)
    return filled | {"style": filled["style"] + Markup((HERE / "site.css").read_text("utf-8"))}


def embedded(data: Any) -> Markup:
    """JSON for a script element that no text within it can break out of."""
    return Markup(
        json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    )
