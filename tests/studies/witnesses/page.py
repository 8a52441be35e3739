"""The table of docs/models.md, from the answers of check.py:
``python -m tests.studies.witnesses.page``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from suite.files import write_whole
from tests.studies.witnesses.models import WITNESSES

ROOT = Path(__file__).parents[3]
ANSWERS = ROOT / "results" / "studies" / "witnesses" / "answers.json"
PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- witnesses: made by tests/studies/witnesses/page.py -->", "<!-- /witnesses -->"
BLOCK = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
HEAD = ("model", "beside", "parameters", "GMAC", "program", "logits", "loss", "worst gradient")


def table(answers: Sequence[dict[str, Any]]) -> str:
    """A row a program, in Markdown: how far it is off its witness."""
    rows = [HEAD, tuple("---" for _ in HEAD)]
    specs = {witness.name: witness.model for witness in WITNESSES}
    for answer in answers:
        model = specs[answer["model"]]
        program = f"{answer['backend']} {answer['execution']}"
        errors = (f"{answer[key]:.1e}" for key in ("logits", "loss", "gradient"))
        rows.append(
            (
                answer["model"],
                f"{answer['library']} `{answer['kind']}`",
                f"{answer['parameters']:,}",
                f"{model.flops() / 2e9:.4g}",
                program,
                *errors,
            )
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def filled(page: str, answers: Sequence[dict[str, Any]]) -> str:
    """The page with the table between its marks."""
    return BLOCK.sub(lambda _: f"{BEGIN}\n{table(answers)}\n{END}", page)


def main() -> None:
    """Write it."""
    answers = json.loads(ANSWERS.read_text(encoding="utf-8"))
    write_whole(PAGE, filled(PAGE.read_text(encoding="utf-8"), answers))


if __name__ == "__main__":
    main()
