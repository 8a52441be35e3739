"""The tables of docs/models.md, from what the studies here wrote:
``python -m tests.studies.witnesses.page``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from suite.files import write_whole
from tests.studies.witnesses.models import WITNESSES

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "results" / "studies" / "witnesses"
ANSWERS, PLANTED = RESULTS / "answers.json", RESULTS / "planted.json"
NAMESAKES = RESULTS / "namesakes.json"
PAGE = ROOT / "docs" / "models.md"
HEAD = ("model", "beside", "parameters", "GMAC", "program", "logits", "loss", "worst gradient")
MEASURED = ("logits", "gradient", "buffers")


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
    return _markdown(rows)


def mistakes(answers: Sequence[dict[str, Any]]) -> str:
    """A row a mistake, in Markdown: whether it is found, and by how much."""
    rows = [("mistake", "beside", "found", *MEASURED), ("---",) * 6]
    for answer in answers:
        errors = ("names" if answer[key] is None else f"{answer[key]:.1e}" for key in MEASURED)
        verdict = "yes" if answer["found"] else "NO"
        rows.append((answer["mistake"], answer["library"], verdict, *errors))
    return _markdown(rows)


def namesakes(rows: Sequence[dict[str, Any]]) -> str:
    """A row a model and what another library has in it, in Markdown."""
    shown = [("model", "beside", *MEASURED, "ours has"), ("---",) * 6]
    for row in rows:
        errors = (f"{row[key]:.1e}" for key in MEASURED)
        field = f"as {row['other']}: {row['field']}" if row["field"] else "every field as there"
        shown.append((row["model"], f"{row['library']} `{row['kind']}`", *errors, field))
    return _markdown(shown)


def _markdown(rows: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


TABLES: dict[str, tuple[Path, Callable[[Sequence[dict[str, Any]]], str]]] = {
    "witnesses": (ANSWERS, table),
    "planted": (PLANTED, mistakes),
    "namesakes": (NAMESAKES, namesakes),
}


def filled(page: str) -> str:
    """The page with each table between its marks."""
    for name, (file, made) in TABLES.items():
        begin = f"<!-- {name}: made by tests/studies/witnesses/page.py -->"
        end = f"<!-- /{name} -->"
        block = f"{begin}\n{made(json.loads(file.read_text(encoding='utf-8')))}\n{end}"
        found = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
        page = found.sub(lambda _, block=block: block, page)  # type: ignore[misc]
    return page


def main() -> None:
    """Write them."""
    write_whole(PAGE, filled(PAGE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
