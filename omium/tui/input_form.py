"""The inputs of a workflow as fields of a form, made from its JSON Schema, and back to values.

What a field cannot hold (objects, lists, several types) is typed as JSON. Whether all of it is right is said
by the schema itself (omium/spec/schemas.py), and in the end by the server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from omium.errors import InvalidJson
from omium.jsonvalue import JsonValue, parse_json
from omium.spec.schemas import SchemaInvalid, check_value
from omium.tui.checks import object_or_nothing
from omium.tui.dialogs import Field
from omium.words import json_text

FIELDS_MAX: Final = 40
"""Inputs beyond these are typed as one JSON object."""
OTHERS: Final = "inputs-others"
EMPTY_TEXT: Final = '""'


@dataclass(frozen=True, slots=True)
class _Input:
    name: str
    schema: Mapping[str, JsonValue]
    required: bool

    @property
    def types(self) -> list[str]:
        given = self.schema.get("type")
        branches = self.schema.get("anyOf") or self.schema.get("oneOf")
        if given is None and isinstance(branches, list):  # as Pydantic says `str | None`
            given = [each.get("type") if isinstance(each, dict) else None for each in branches]
            given = given if all(isinstance(each, str) for each in given) else None
        found = given if isinstance(given, list) else [given]
        return [str(each) for each in found if each not in (None, "null")]

    @property
    def choices(self) -> list[JsonValue]:
        enum = self.schema.get("enum")
        if isinstance(enum, list):
            return enum
        if "const" in self.schema:
            return [self.schema["const"]]
        return [True, False] if self.types == ["boolean"] else []

    @property
    def plain_text(self) -> bool:
        return self.types == ["string"]

    @property
    def is_small(self) -> bool:
        return bool(self.types) and set(self.types) <= {"string", "integer", "number", "boolean"}


class InputForm:
    """The fields of one schema: `fields` to ask for, `read` for what was typed."""

    def __init__(self, schema: JsonValue) -> None:
        self._schema = schema if isinstance(schema, dict) else {}
        properties = self._schema.get("properties")
        required = self._schema.get("required")
        names = properties if isinstance(properties, dict) else {}
        needed = set(map(str, required)) if isinstance(required, list) else set()
        first = sorted(names.items(), key=lambda each: each[0] not in needed)
        self._inputs = [
            _Input(name, each if isinstance(each, dict) else {}, name in needed)
            for name, each in first[:FIELDS_MAX]
        ]
        self._others = self._schema.get("additionalProperties") is not False or len(names) > FIELDS_MAX

    def fields(self) -> list[Field]:
        """Return a field for each input, and one for what no schema names."""
        found = [self._make_field(at, each) for at, each in enumerate(self._inputs)]
        if self._others:
            label = "Other inputs" if found else "Inputs"
            help_text = 'A JSON object, such as {"topic": "durability"}; empty for none.'
            found.append(Field(OTHERS, label, kind="lines", help=help_text, check=object_or_nothing))
        return found

    def read(self, values: Mapping[str, str]) -> dict[str, JsonValue]:
        """Return the inputs. Raises `ValueError` with every place that is not as the schema asks."""
        others = values.get(OTHERS, "").strip()
        parsed = parse_json(others) if others else {}
        inputs: dict[str, JsonValue] = dict(parsed) if isinstance(parsed, dict) else {}
        for at, each in enumerate(self._inputs):
            text = values.get(f"inputs-{at}", "")
            if text.strip():
                inputs[each.name] = _read(each, text)
        try:
            problems = check_value(self._schema, inputs)
        except SchemaInvalid:  # of a framework's workflow: the server takes what the framework takes
            problems = []
        if problems:
            raise ValueError("\n".join(f"{each.pointer or 'inputs'}: {each.detail}" for each in problems))
        return inputs

    def _make_field(self, at: int, each: _Input) -> Field:
        title = str(each.schema.get("title") or each.name)
        label = f"{title} ({each.name})" if title != each.name else title
        default = each.schema.get("default")
        choices = [_write(each, choice) for choice in each.choices]
        value = "" if default is None else _write(each, default)
        return Field(
            f"inputs-{at}",
            label + ("" if each.required else " (optional)"),
            value=value if each.is_small or choices else json_text(default, indent=2) if value else "",
            placeholder=" or ".join(each.types),
            help=_help(each),
            kind="choice" if choices else "text" if each.is_small else "lines",
            choices=choices,
            required=each.required,
            check=partial(_check, each),
        )


def _help(each: _Input) -> str:
    words = [str(each.schema.get("description") or "")]
    if not each.is_small and not each.choices:
        words.append(f"As JSON: {' or '.join(each.types) or 'any value'}.")
    limits = [
        f"{name} {each.schema[key]}"
        for key, name in (("minimum", "at least"), ("maximum", "at most"), ("format", "format"))
        if key in each.schema
    ]
    return " ".join(filter(None, [*words, ", ".join(limits)]))


def _write(each: _Input, value: JsonValue) -> str:
    if isinstance(value, str) and (each.plain_text or value in each.choices):
        return value or EMPTY_TEXT
    return json.dumps(value, ensure_ascii=False)


def _read(each: _Input, text: str) -> JsonValue:
    for choice in each.choices:
        if _write(each, choice) == text:
            return choice
    if each.plain_text:
        return "" if text.strip() == EMPTY_TEXT else text
    try:
        return parse_json(text.strip())
    except InvalidJson:
        if "string" in each.types:
            return text
        raise ValueError(
            f"{each.name}: this is no JSON value of type {' or '.join(each.types) or 'any'}."
        ) from None


def _check(each: _Input, text: str) -> str | None:
    """Return what is wrong with one field."""
    if not text.strip():
        return None
    try:
        problems = check_value(dict(each.schema), _read(each, text))
    except SchemaInvalid:
        return None
    except ValueError as wrong:
        return str(wrong)
    return problems[0].detail if problems else None
