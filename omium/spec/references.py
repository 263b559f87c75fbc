"""References: `{"$from": "nodes.write.output.title", "default": ...}` anywhere inside a value.

    list_references    those of a value, with where they stand
    read_path          the text of one as a path
    resolve            a value with each reference replaced by what it names
    is_larger          whether what came of that is too large to be written

Pure; what a path may name is reading.py's, and what it names at run time is `lookup`'s. A path is text with
dots, or a list of its parts where one has a dot: `{"$from": ["inputs", "a.b"]}`. What looks like a reference
and is none stands inside `{"$literal": ...}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from omium.jsonvalue import JsonValue
from omium.spec.problems import join_pointer

FROM: Final = "$from"
DEFAULT: Final = "default"
LITERAL: Final = "$literal"
PARTS_MAX: Final = 64

Path = tuple[str, ...]


class Missing(Enum):
    """What `lookup` answers where there is nothing; None is a value."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
Lookup = Callable[[Path], "JsonValue | Literal[Missing.MISSING]"]


class ReferenceInvalid(ValueError):
    """A reference that cannot be read; the message is a sentence."""


class ReferenceUnavailable(LookupError):
    """A reference without a default names what is not there: the node fails `reference-unavailable`."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{'.'.join(path)} is not available, and the reference has no default.")
        self.path = path


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference in a value, `pointer` from the value's root."""

    pointer: str
    path: Path
    has_default: bool


def is_reference(value: JsonValue) -> bool:
    """Say whether `value` is a reference, well written or not."""
    return isinstance(value, dict) and FROM in value


def read_path(value: JsonValue) -> Path:
    """Return the path of a reference's `$from`; raises `ReferenceInvalid`."""
    if isinstance(value, str):
        parts: list[JsonValue] = list(value.split("."))
    elif isinstance(value, list):
        parts = value
    else:
        raise ReferenceInvalid('$from is a text such as "nodes.write.output", or a list of its parts.')
    path = tuple(part for part in parts if isinstance(part, str) and part)
    if len(path) != len(parts) or not path:
        raise ReferenceInvalid("A part of the reference is empty, or no text.")
    if len(path) > PARTS_MAX:
        raise ReferenceInvalid(f"The reference has more than {PARTS_MAX} parts.")
    return path


def read_reference(value: dict[str, JsonValue]) -> tuple[Path, bool]:
    """Return path and whether there is a default; raises `ReferenceInvalid`."""
    extra = sorted(set(value) - {FROM, DEFAULT})
    if extra:
        raise ReferenceInvalid(f'A reference has "$from" and "default", not {extra[0]!r}.')
    return read_path(value[FROM]), DEFAULT in value


def list_references(value: JsonValue, pointer: str = "") -> Iterator[Reference | tuple[str, str]]:
    """Yield each reference in `value`; for one that cannot be read, its pointer and the reason."""
    stack = [(pointer, value)]
    while stack:
        at, each = stack.pop()
        if isinstance(each, list):
            stack += [(join_pointer(at, index), item) for index, item in reversed(list(enumerate(each)))]
        elif isinstance(each, dict) and FROM in each:
            try:
                path, has_default = read_reference(each)
            except ReferenceInvalid as refused:
                yield at, str(refused)
            else:
                yield Reference(at, path, has_default)
        elif isinstance(each, dict) and not is_literal(each):
            stack += [(join_pointer(at, name), item) for name, item in reversed(list(each.items()))]


def is_literal(value: dict[str, JsonValue]) -> bool:
    """Say whether `value` is `{"$literal": ...}`, which is taken as it is."""
    return len(value) == 1 and LITERAL in value


def resolve(value: JsonValue, lookup: Lookup) -> JsonValue:
    """Return `value` with each reference replaced; raises `ReferenceUnavailable`.

    A `default` is taken as it is. Raises `ReferenceInvalid` for what `check_spec` does not let through.
    """
    if isinstance(value, list):
        return [resolve(item, lookup) for item in value]
    if not isinstance(value, dict):
        return value
    if FROM in value:
        path, has_default = read_reference(value)
        found = lookup(path)
        if found is not MISSING:
            return found
        if has_default:
            return value[DEFAULT]
        raise ReferenceUnavailable(path)
    if is_literal(value):
        return value[LITERAL]
    return {name: resolve(item, lookup) for name, item in value.items()}


def is_larger(value: JsonValue, bytes_max: int) -> bool:
    """Say whether the JSON text of `value` is surely longer, without writing it.

    Many references to one large value are small in memory, and their text can be larger than any memory.
    """
    room, stack = bytes_max, [value]
    while stack:
        each = stack.pop()
        if isinstance(each, str):
            room -= len(each) + 2
        elif isinstance(each, dict):
            room -= 2 + sum(len(name) + 3 for name in each)
        elif isinstance(each, list):
            room -= 1 + len(each)
        else:
            room -= 1
        if room < 0:
            return True
        if isinstance(each, dict | list):
            stack += each.values() if isinstance(each, dict) else each
    return False


def look_inside(value: JsonValue, parts: Path) -> JsonValue | Literal[Missing.MISSING]:
    """Return what stands at `parts` inside `value`, or MISSING; a list's items are named by number."""
    for part in parts:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value
