"""A JSON schema in words, as Markdown: what a reader of a table of fields wants to know of a type."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

Schema = dict[str, Any]

_UNBOUNDED: Final = 10**15
"""A bound above it is that of the integers, not of the field."""


class SchemaWords:
    """Names types; `name_ref` names what a `$ref` leads to, as a link if it has a place of its own."""

    def __init__(self, name_ref: Callable[[str], str]) -> None:
        self._name_ref = name_ref

    def name(self, schema: Schema) -> str:
        """Return the words for a schema: `string, 1 to 200 characters`, `array of [Step](#step)`."""
        if "$ref" in schema:
            return self._name_ref(schema["$ref"])
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                return " or ".join(dict.fromkeys(self.name(each) for each in schema[choice]))
        if "const" in schema:
            return f"`{schema['const']}`"
        if "enum" in schema:
            return ", ".join(f"`{value}`" for value in schema["enum"])
        if "allOf" in schema:
            return self.name(schema["allOf"][0])
        match schema.get("type"):
            case "array":
                return f"array{_bounds(schema, 'Items')} of {self.name(schema.get('items', {}))}"
            case "object" if is_page(schema):
                return f"page of {self.name(schema['properties']['items']['items'])}"
            case "object":
                more = schema.get("additionalProperties")
                return f"object of {self.name(more)}" if isinstance(more, dict) and more else "object"
            case "string":
                return f"string{_bounds(schema, 'Length')}"
            case "integer" | "number" as kind:
                return f"{kind}{_number_bounds(schema)}"
            case None:
                return "any JSON"
            case kind:
                return str(kind)


def is_page(schema: Schema) -> bool:
    """Say whether it is the schema of a page of a list."""
    return {"items", "next"} <= set(schema.get("properties", {}))


def default_of(schema: Schema) -> str:
    """Return a field's default as Markdown; what is made anew for each object is empty."""
    value = schema.get("default", [] if schema.get("type") == "array" else None)
    return "" if value in (None, "") or isinstance(value, dict) else f"`{json.dumps(value).strip(chr(34))}`"


def cell(text: str) -> str:
    """Return `text` for a cell of a table: on one line, without its sign for the next cell."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _bounds(schema: Schema, what: str) -> str:
    least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}")
    unit = "characters" if what == "Length" else "entries"
    if pattern := schema.get("pattern"):
        return f" like `{cell(pattern)}`"
    if most is not None:
        return f", {least} to {most:,} {unit}" if what == "Length" else f", {least} to {most:,},"
    return f", at least {least} {unit}" if least else ""


def _number_bounds(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    low = f"from {least:,}" if least is not None else f"above {above:,}" if above is not None else ""
    high = f"to {most:,}" if most is not None else f"below {below:,}" if below is not None else ""
    if below is not None and below > _UNBOUNDED:
        high = ""
    return f", {' '.join(filter(None, [low, high]))}" if low or high else ""
