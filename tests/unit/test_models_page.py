"""The tables of docs/models.md are what the studies of the witnesses found: every program is the
same, and every planted mistake is not.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.studies.witnesses import page
from tests.studies.witnesses.models import WITNESSES
from tests.studies.witnesses.namesakes import namesakes
from tests.studies.witnesses.planted import planted


def test_the_tables_are_those_of_the_answers():
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.filled(text) == text
    assert all(f"<!-- /{name} -->" in text for name in page.TABLES)


def test_every_model_is_the_same_as_its_witness():
    answers = _read(page.ANSWERS)
    assert [*dict.fromkeys(answer["model"] for answer in answers)] == [w.name for w in WITNESSES]
    assert all(answer["same"] for answer in answers)


def test_every_mistake_is_found():
    answers = _read(page.PLANTED)
    assert [answer["mistake"] for answer in answers] == [*planted()]
    assert all(answer["found"] for answer in answers)


def test_one_field_makes_another_function():
    rows = _read(page.NAMESAKES)
    asked = [(n.name, field) for n in namesakes() for field in ("", *n.fields)]
    assert [(row["model"], row["field"]) for row in rows] == asked
    assert all(row["same"] == (not row["field"]) for row in rows)


def _read(file: Path) -> list[dict[str, object]]:
    answers: list[dict[str, object]] = json.loads(file.read_text(encoding="utf-8"))
    return answers
