"""The published JSON schema is that of the models."""

from __future__ import annotations

from suite.store import json_schema


def test_the_published_json_schema_is_that_of_the_models():
    published = {path.name: path.read_text("utf-8") for path in json_schema.FOLDER.glob("*.json")}
    assert published == json_schema.schemas(), "run python -m suite.store.json_schema"
