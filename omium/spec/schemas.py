"""Values against JSON Schemas: inputs, outputs, payloads and arguments of tools.

Owns the terms on which a stranger's schema is used: nothing is ever fetched ($ref reaches into the schema
itself only), patterns run in linear time (no lookaround, no backreferences), and a schema that becomes huge
when its references are written out is refused, because judging a value by it could take for ever. The dialect
is 2020-12 unless `$schema` names an older one. Compiled schemas are kept: the same few are used all the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from omium.errors import InvalidJson
from omium.jsonvalue import JsonValue, canonical_bytes, parse_json
from omium.spec.problems import join_pointer

if TYPE_CHECKING:
    from jsonschema_rs import Validator

SCHEMA_BYTES_MAX: Final = 256 * 1024
VALUE_PROBLEMS_MAX: Final = 20
DETAIL_CHARACTERS_MAX: Final = 300
_PATTERN_BYTES_MAX: Final = 1024 * 1024
_KEPT: Final = 256
_WRITTEN_OUT_MAX: Final = 50_000
_REFERENCES_DEEP_MAX: Final = 64
_REFERENCE_WORDS: Final = ("$ref", "$dynamicRef", "$recursiveRef")


@dataclass(frozen=True, slots=True)
class ValueProblem:
    """One place where a value is not what its schema asks for."""

    pointer: str
    """JSON pointer into the value."""
    detail: str


class SchemaInvalid(ValueError):
    """The schema itself cannot be used; the message says why, `pointer` where in the schema."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


def check_value(schema: JsonValue, value: JsonValue) -> list[ValueProblem]:
    """Return what is wrong with `value`, at most 20 problems; none: it is as the schema asks.

    An empty schema takes everything. Raises `SchemaInvalid` for a schema that `check_schema` refuses.
    """
    if schema == {} or schema is True:
        return []
    validator, has_circle = _get_validator(schema)
    if validator.is_valid(value):
        return []
    if has_circle:  # the library looks for places without remembering where it has been
        return [
            ValueProblem("", "It is not what the schema asks for, which refers to itself: no place is told.")
        ]
    found: list[ValueProblem] = []
    for error in validator.iter_errors(value):
        pointer = join_pointer("", *error.instance_path)
        found.append(ValueProblem(pointer, _shorten(error.message)))
        if len(found) == VALUE_PROBLEMS_MAX:
            break
    return found


def check_schema(schema: JsonValue) -> SchemaInvalid | None:
    """Return why `schema` cannot be used, or None."""
    try:
        _get_validator(schema)
    except SchemaInvalid as refused:
        return refused
    return None


def _get_validator(schema: JsonValue) -> tuple[Validator, bool]:
    """Return the compiled schema, and whether it refers to itself."""
    if not isinstance(schema, dict | bool):
        raise SchemaInvalid("A schema is an object.")
    text = canonical_bytes(schema)
    if len(text) > SCHEMA_BYTES_MAX:
        raise SchemaInvalid(f"The schema has {len(text):,} bytes; {SCHEMA_BYTES_MAX:,} are allowed.")
    return _compile(text)


@lru_cache(maxsize=_KEPT)
def _compile(text: bytes) -> tuple[Validator, bool]:
    import jsonschema_rs  # noqa: PLC0415  # 5 MB of machine code that only whoever checks a value pays for

    try:
        schema: Any = parse_json(text)
    except InvalidJson as refused:  # deeper or wider than any document may be
        raise SchemaInvalid(f"The schema cannot be used: {refused}") from None
    has_circle = _write_out(schema)
    try:
        validator = jsonschema_rs.validator_for(
            schema,
            retriever=_refuse,
            pattern_options=jsonschema_rs.RegexOptions(
                size_limit=_PATTERN_BYTES_MAX, dfa_size_limit=_PATTERN_BYTES_MAX
            ),
        )
    except jsonschema_rs.ValidationError as refused:
        raise SchemaInvalid(
            f"The schema is not valid: {_shorten(refused.message)}", join_pointer("", *refused.instance_path)
        ) from None
    except (jsonschema_rs.ReferencingError, ValueError) as refused:
        raise SchemaInvalid(f"The schema cannot be used: {_shorten(str(refused))}") from None

    return validator, has_circle


def _write_out(schema: JsonValue) -> bool:
    """Return whether `schema` refers to itself; raises `SchemaInvalid` if it is huge when written out.

    A reference back to where one is counts as one value: the library compiles its target once, and remembers
    what it judged with it. So each such target is measured from there again.
    """
    has_circle = False
    measured = {"#"}
    targets, room = ["#"], _WRITTEN_OUT_MAX
    for target in targets:
        stack: list[tuple[JsonValue, tuple[str, ...]]] = [(_get_part(schema, target), (target,))]
        while stack:
            part, way = stack.pop()
            room -= 1
            if room < 0 or len(way) > _REFERENCES_DEEP_MAX:
                raise SchemaInvalid(
                    "The schema is too large or too intricate with its references written out."
                )
            if isinstance(part, list):
                stack += [(item, way) for item in part]
            elif isinstance(part, dict):
                if part is not schema and isinstance(part.get("$id"), str):
                    raise SchemaInvalid("Only the schema as a whole may have an $id.")
                stack += [(item, way) for item in part.values()]
                for address in (part[word] for word in _REFERENCE_WORDS if word in part):
                    if not isinstance(address, str):
                        continue  # a property of that name
                    if address not in way:
                        stack.append((_get_part(schema, address), (*way, address)))
                    elif address not in measured:
                        measured.add(address)
                        targets.append(address)
                    has_circle = has_circle or address in way
    return has_circle


def _get_part(schema: JsonValue, address: str) -> JsonValue:
    """Return what a reference names; raises `SchemaInvalid` unless it is `#` or of the form `#/a/b`."""
    part = schema
    if address != "#" and not address.startswith("#/"):
        raise SchemaInvalid(f'A $ref has the form "#/$defs/name", not {address[:100]!r}; nothing is fetched.')
    for name in address.split("/")[1:]:
        key = unquote(name).replace("~1", "/").replace("~0", "~")
        if isinstance(part, dict) and key in part:
            part = part[key]
        elif isinstance(part, list) and key.isascii() and key.isdigit() and int(key) < len(part):
            part = part[int(key)]
        else:
            raise SchemaInvalid(f"There is nothing at {address[:100]} in the schema.")
    return part


def _refuse(address: str) -> JsonValue:
    raise ValueError(f"{address[:100]} is not fetched; a $ref reaches into its own schema only")


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    line = line if len(line) <= DETAIL_CHARACTERS_MAX else line[: DETAIL_CHARACTERS_MAX - 3] + "..."
    return line if line.endswith(".") else line + "."
