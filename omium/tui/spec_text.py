"""A workflow's document as text: how it is written, and what is wrong with it, each with its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from omium.errors import InvalidJson
from omium.jsonvalue import JsonValue, parse_json
from omium.models.workflows import SpecFinding
from omium.spec.check import check_spec
from omium.spec.reading_order import in_reading_order
from omium.tui.json_places import find_place
from omium.words import count, json_text


@dataclass(frozen=True, slots=True)
class Found:
    """Something that is wrong, or a warning, with its place in the text."""

    number: int
    line: int
    column: int
    finding: SpecFinding
    warning: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """What is wrong with a document, and how large it is if it is right."""

    errors: list[SpecFinding]
    warnings: list[SpecFinding]
    size: str


def place_all(text: str, errors: Sequence[SpecFinding], warnings: Sequence[SpecFinding]) -> list[Found]:
    """Return all findings with their places in `text`."""
    return [
        Found(at, *find_place(text, each.pointer), each, at >= len(errors))
        for at, each in enumerate([*errors, *warnings])
    ]


async def look_at(text: str, name: str | None) -> Looked:
    """Return what is wrong with a document, without asking anybody; another thread looks."""
    return await asyncio.to_thread(_check, text, name)


def _check(text: str, name: str | None) -> Looked:
    try:
        document = parse_json(text)
    except InvalidJson as error:
        return Looked([not_json(error)], [], "")
    wrong = other_name(document, name)
    checked = check_spec(document)
    to_finding: Callable[[object], SpecFinding] = SpecFinding.model_validate
    errors = [to_finding(each.to_json()) for each in checked.problems]
    size = "" if checked.spec is None else count(len(checked.spec.nodes), "node")
    return Looked(
        [*filter(None, [wrong]), *errors], [to_finding(each.to_json()) for each in checked.warnings], size
    )


def not_json(error: InvalidJson) -> SpecFinding:
    """Return what is wrong with a text that is no JSON."""
    return SpecFinding(pointer=str(error.members.get("pointer") or ""), detail=str(error), code="not-json")


def other_name(document: JsonValue, name: str | None) -> SpecFinding | None:
    """Return what is wrong if a document is of another workflow than the one that is edited."""
    if name is None or not isinstance(document, dict) or document.get("name") == name:
        return None
    return SpecFinding(
        pointer="/name",
        detail=f"The name is {name}: one workflow does not become another.",
        suggestion="Import it to copy it.",
        code="wrong-value",
    )


def as_json(document: object) -> JsonValue:
    """Return a document of a reply as what it is."""
    plain: Any = document
    return plain  # type: ignore[no-any-return]


def to_text(document: object) -> str:
    """Return a document as a person would have written it; what a terminal would obey is escaped."""
    return json_text(in_reading_order(as_json(document)), indent=2) + "\n"


def skeleton(name: str) -> str:
    """Return the smallest document of a workflow, to go on with."""
    node: JsonValue = {"id": "first", "type": "function", "parameters": {"handler": "first"}}
    return to_text({"omium": "0", "name": name, "inputs": {"type": "object"}, "nodes": [node], "edges": []})
