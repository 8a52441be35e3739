"""Pages of published runs say what they said before suite/ got its rooms: tests/kept/pages.json has
every cell's status, rank and values and every verdict, as the version before wrote them. Metrics
that are NEW since then are shown besides, of every cell that has a time.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from suite.report.page.page import render
from suite.run import session

ROOT = Path(__file__).parents[4]
KEPT = json.loads((ROOT / "tests" / "kept" / "pages.json").read_text(encoding="utf-8"))
NEW = {"cpu"}
RESULTS = re.compile(r'<script type="application/json" id="data-results">(.*?)</script>', re.DOTALL)


def told(page: str) -> dict[str, Any]:
    """Of a page: what it says of every cell, and every pair's verdict."""
    found = RESULTS.search(page)
    assert found is not None
    data = json.loads(found[1])
    cells = data["cells"]
    return {
        "cells": {
            cell["id"]: {name: cell[name] for name in ("status", "tier", "parity", "values")}
            for cell in cells
        },
        "pairs": [
            [group["task"], group["setting"], *(pair[name] for name in ("base", "new", "verdict"))]
            for group in data["groups"]
            for pair in group["pairs"]
        ],
    }


@pytest.mark.parametrize("name", KEPT)
def test_a_published_page_says_what_it_said(name):
    found = told(render(session.read(ROOT / "results" / "published" / name)))
    wanted = KEPT[name]
    assert found["cells"].keys() == wanted["cells"].keys()
    assert wanted["cells"]
    for cell, before in wanted["cells"].items():
        values = before.pop("values")
        now = dict(found["cells"][cell])
        shown = now.pop("values")
        assert shown.keys() == values.keys() | (NEW if "step" in values else set()), cell
        for metric, value in values.items():
            assert shown[metric] == pytest.approx(value, rel=1e-9), f"{cell}: {metric}"
        assert now == before, cell
    assert found["pairs"] == wanted["pairs"]
