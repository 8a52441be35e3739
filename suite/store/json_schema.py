"""The result schema as JSON Schema, for programs in other languages: ``python -m
suite.store.json_schema`` writes results/schema/*.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from suite.files import write_whole
from suite.records import schema

FOLDER = Path(__file__).parents[2] / "results" / "schema"
KINDS: dict[str, Any] = {
    "manifest": schema.Manifest,
    "environment": schema.Environment,
    "record": schema.AnyRecord,
    "summary": schema.Summary,
    "comparison": schema.RunComparison,
    "upgrade": schema.UpgradeSummary,
}


def schemas() -> dict[str, str]:
    """JSON Schema (draft 2020-12) as text, by the name of its file. A line of records.jsonl has a
    ``checksum`` beside what ``record`` says.
    """
    return {f"{name}.json": _text(TypeAdapter(kind)) for name, kind in KINDS.items()}


def _text(adapter: TypeAdapter[Any]) -> str:
    found = adapter.json_schema(by_alias=True, mode="serialization")
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


def main() -> None:
    """Write them where they are published."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        write_whole(FOLDER / name, text)


if __name__ == "__main__":
    main()
