"""JSON Schemas of pydantic models, as far as a document can use them."""

from __future__ import annotations

from typing import Any

from omium.jsonvalue import JsonValue, json_bytes, parse_json
from omium.spec.schemas import check_schema


def make_schema(model: Any) -> dict[str, JsonValue]:
    """Return the schema of a pydantic model, or an empty one: it has none, or one that nobody could judge by.

    A schema is left out whole where it cannot be JSON, is too intricate, or has a pattern with lookaround.
    """
    if not callable(getattr(model, "model_json_schema", None)):
        return {}
    try:
        schema = parse_json(json_bytes(model.model_json_schema()))
    except Exception:  # a boundary: pydantic asks types of the user's own for their schemas
        return {}
    if not isinstance(schema, dict) or check_schema(schema) is not None:
        return {}
    return schema
