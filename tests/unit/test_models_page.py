"""The table of docs/models.md is what the answers of the witnesses say: that all are the same."""

from __future__ import annotations

import json

from tests.studies.witnesses import page


def test_the_table_is_that_of_the_answers():
    answers = json.loads(page.ANSWERS.read_text(encoding="utf-8"))
    assert len(answers) >= 12
    assert all(answer["same"] for answer in answers)
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.filled(text, answers) == text
