"""Shape: whether each field is known, there, and of its type; pydantic's findings in our words.

Two walks that miss nothing: pydantic finds what is missing or wrong, `list_unknown` finds fields that no part
has (pydantic would refuse those that begin with `x-`, too). Values that are no JSON at all are refused first.
"""

from __future__ import annotations

import copy
import math
import types
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from omium.jsonvalue import JsonValue, json_bytes
from omium.spec.document import NODE_TYPES, Part, Spec
from omium.spec.limits import DEPTH_MAX, DOCUMENT_BYTES_MAX
from omium.spec.problems import SpecProblem, did_you_mean, find_close, join_pointer, shown, split_pointer

_WORDS: Final = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "tuple_type": "a list",
    "list_type": "a list",
}

_NEVER_GUESSED: Final = frozenset(
    {"id", "type", "from", "to", "kind", "start", "join", "nodes", "edges", "runtime", "mode"}
)
UNKNOWN_TYPE: Final = "unknown-node-type"
_STANDINS: Final[dict[str, JsonValue]] = {"omium": "0", "name": "unnamed"}


def find_unreadable(document: JsonValue) -> SpecProblem | None:
    """Return why `document` cannot be looked at: no JSON, too deep or too large; None if it can."""
    stack: list[tuple[str, Any, int]] = [("", document, 1)]
    while stack:
        pointer, value, depth = stack.pop()
        if depth > DEPTH_MAX:
            return SpecProblem(
                "", f"The document is more than {DEPTH_MAX} levels deep.", "Part it.", "limit-exceeded"
            )
        if isinstance(value, dict):
            if not all(isinstance(name, str) for name in value):
                return SpecProblem(pointer, "A name in this object is no text.", "", "not-json")
            stack += [(join_pointer(pointer, name), item, depth + 1) for name, item in value.items()]
        elif isinstance(value, list):
            stack += [(join_pointer(pointer, at), item, depth + 1) for at, item in enumerate(value)]
        elif isinstance(value, float) and not math.isfinite(value):
            return SpecProblem(pointer, "NaN and Infinity are not JSON.", "Leave it out.", "not-json")
        elif value is not None and not isinstance(value, str | int | float):
            return SpecProblem(pointer, f"A {type(value).__name__} is not JSON.", "", "not-json")
    try:
        size = len(json_bytes(document))
    except (ValueError, RecursionError):  # half of a surrogate pair
        return SpecProblem("", "The document has characters that are none.", "Write it as UTF-8.", "not-json")
    if size > DOCUMENT_BYTES_MAX:
        return SpecProblem(
            "",
            f"The document has {size:,} bytes; {DOCUMENT_BYTES_MAX:,} are allowed.",
            "Move parts of it to workflows of their own.",
            "limit-exceeded",
        )
    return None


PartT = TypeVar("PartT", bound=Part)


def read_part(part: type[PartT], value: JsonValue, pointer: str) -> tuple[PartT | None, list[SpecProblem]]:
    """Return a part that stands at `pointer`, or None, and each field that is unknown, missing or wrong."""
    problems = list(list_unknown(part, value, pointer))
    try:
        return part.model_validate(value), problems
    except ValidationError as refused:
        found = refused.errors(include_url=False)
        return None, [*dict.fromkeys(_tell(each, pointer) for each in found), *problems]


def mend_shape(document: JsonValue, problems: list[SpecProblem]) -> Spec | None:
    """Return the spec that remains when every wrong field that has a default is left out, or None.

    So that what is wrong with the rest can be told beside `problems`. A node's type that is spelt wrong is
    taken for the one that it resembles; where a part would have to be guessed (an id, the end of an edge),
    nothing further is told.
    """
    mended = copy.deepcopy(document)
    for problem in problems:
        if problem.code == "unknown-field":
            continue
        parts = split_pointer(problem.pointer)
        if not (_correct_type(mended, parts) if problem.code == UNKNOWN_TYPE else _leave_out(mended, parts)):
            return None
    try:
        return Spec.model_validate(mended)
    except ValidationError:
        return None


def _correct_type(document: JsonValue, parts: list[str]) -> bool:
    """Put the type that was probably meant in the place of a wrong one; False where there is none like it."""
    node: Any = document
    for part in parts[:-1]:
        node = node[int(part)] if isinstance(node, list) else node[part]
    given = node[parts[-1]]
    close = find_close(given, NODE_TYPES) if isinstance(given, str) else None
    node[parts[-1]] = close
    return close is not None


def _leave_out(document: JsonValue, parts: list[str]) -> bool:
    """Take the field at `parts` off, if it is there; items of lists are not taken off."""
    holder = document
    for part in parts[:-1]:
        if isinstance(holder, list) and part.isdigit() and int(part) < len(holder):
            holder = holder[int(part)]
        elif isinstance(holder, dict) and part in holder:
            holder = holder[part]
        else:
            return True  # gone with what it stood in
    if not isinstance(holder, dict) or not parts or parts[-1] in _NEVER_GUESSED:
        return False
    if len(parts) == 1 and parts[0] in _STANDINS:
        holder[parts[0]] = _STANDINS[parts[0]]
    else:
        holder.pop(parts[-1], None)
    return True


def list_unknown(part: type[Part], value: JsonValue, pointer: str) -> Iterator[SpecProblem]:
    """Yield a problem for each field of `value`, and of the parts in it, that its part does not have."""
    if not isinstance(value, dict):
        return
    known, inner = _fields_of(part)
    for name, item in value.items():
        at = join_pointer(pointer, name)
        if name in inner:
            kind, inside = inner[name]
            if kind == "one":
                yield from list_unknown(inside, item, at)
            elif kind == "list" and isinstance(item, list):
                for index, each in enumerate(item):
                    yield from list_unknown(inside, each, join_pointer(at, index))
            elif kind == "named" and isinstance(item, dict):
                for key, each in item.items():
                    yield from list_unknown(inside, each, join_pointer(at, key))
        elif name not in known and not name.startswith("x-"):
            what = part.__name__.lower()
            yield SpecProblem(
                at,
                f"{'An' if what[0] in 'aeiou' else 'A'} {what} has no field {shown(name)}.",
                did_you_mean(name, known, 'Remove it, or begin its name with "x-" to keep it.'),
                "unknown-field",
            )


@cache
def _fields_of(part: type[Part]) -> tuple[frozenset[str], dict[str, tuple[str, type[Part]]]]:
    """Return the names that a part's fields have in a document, and which of them hold parts."""
    known: set[str] = set()
    inner: dict[str, tuple[str, type[Part]]] = {}
    for name, described in part.model_fields.items():
        alias = described.alias or name
        known.add(alias)
        if (found := _part_in(described.annotation)) is not None:
            inner[alias] = found
    return frozenset(known), inner


def _part_in(annotation: Any) -> tuple[str, type[Part]] | None:
    """Return the part that a field holds: one, a list of them, or some by name."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return "one", annotation
    if origin is Annotated:
        return _part_in(arguments[0])
    if origin in {Union, types.UnionType}:
        return next((found for each in arguments if (found := _part_in(each))), None)
    if origin is tuple and (found := _part_in(arguments[0])):
        return "list", found[1]
    if origin is dict and (found := _part_in(arguments[1])):
        return "named", found[1]
    return None


def _tell(error: ErrorDetails, above: str) -> SpecProblem:
    parts = [part for part in error["loc"] if part != "[key]"]
    pointer, kind, given = join_pointer(above, *parts), error["type"], error["input"]
    field = str(parts[-1]) if parts else "The document"
    if error["loc"] and error["loc"][-1] == "[key]":
        return SpecProblem(
            pointer,
            f"{shown(field)} is no name: letters, digits, _ and - make one, up to 100.",
            "Rename it.",
            "bad-name",
        )
    if kind == "missing":
        return SpecProblem(pointer, f"{field} is missing.", f'Add "{field}".', "missing-field")
    if kind in _WORDS:
        return SpecProblem(pointer, f"{field} is {_WORDS[kind]}, not {shown(given)}.", "", "wrong-type")
    if kind == "literal_error":
        return _tell_choice(pointer, field, given, str(error.get("ctx", {}).get("expected", "")))
    if kind == "string_pattern_mismatch":
        return SpecProblem(
            pointer,
            f"{field} is a name of letters, digits, _ and -, not {shown(given)}.",
            'What people are to read goes into "name" or "description".',
            "bad-name",
        )
    message = error["msg"].removeprefix("Input should be ").removeprefix("Value should ")
    code = "limit-exceeded" if kind in {"too_long", "string_too_long"} else "wrong-value"
    return SpecProblem(pointer, f"{field}: {message}, not {_measured(given)}.", "", code)


def _tell_choice(pointer: str, field: str, given: Any, expected: str) -> SpecProblem:
    choices = [each.strip("' ") for each in expected.replace(" or ", ", ").split(",")]
    code = {"type": UNKNOWN_TYPE, "omium": "unknown-format"}.get(field, "wrong-value")
    return SpecProblem(
        pointer,
        f"{field} is {expected}, not {shown(given)}.",
        did_you_mean(given, choices) if isinstance(given, str) else "",
        code,
    )


def _measured(given: Any) -> str:
    if isinstance(given, str | list | dict | tuple) and len(given) > 40:
        return f"{len(given):,}"
    return shown(given)
