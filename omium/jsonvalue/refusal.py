"""Why a value cannot be recorded, and where it stands: the words of `Unserialisable`.

Owns the exception that climbs out of the walk in encode.py, each level adding its part of the path, and the
reasons and remedies by kind of value.
"""

from __future__ import annotations

from collections.abc import Container

from omium.jsonvalue.registry import default_name

_REMEDIES = {
    "numpy": "Convert it first (`.item()`, `.tolist()`).",
    "pandas": "Convert it first (`.to_dict('records')`).",
    "torch": "Convert it first (`.tolist()`), or save it to a file and return the path.",
}


class NotRepresentable(Exception):
    """A value has no exact form. `path` holds the parts of its place, innermost first."""

    def __init__(self, value: object, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.type_name = type_name(type(value))
        self.reason = reason
        self.remedy = remedy
        self.path: list[str] = []


def type_name(class_: type) -> str:
    """Return the name that people read: "module.Class", builtins without their module."""
    return default_name(class_).replace(":", ".").removeprefix("builtins.")


def key_path(key: object) -> str:
    """Return the part of a path that stands for the dict key `key`, bounded in length."""
    if type(key) is str:
        return f".{key}" if key.isidentifier() else f"[{key[:40]!a}]"
    if type(key) is int and key.bit_length() < 64:
        return f"[{key}]"
    return f"[{type(key).__name__}]"


def why_not(value: object, plain_types: Container[type]) -> tuple[str, str]:
    """Return (reason, remedy) for a `value` that has no exact form."""
    if isinstance(value, type) or callable(value):
        return "code is not data", "Return its result, or its name as text."
    class_ = type(value)
    if library := _REMEDIES.get(class_.__module__.partition(".")[0]):
        return "only plain Python data is recorded", library
    builtin = next((each.__name__ for each in class_.__mro__[1:] if each in plain_types), None)
    if builtin is not None:
        return f"it is a subclass of {builtin} with a class of its own", f"Return `{builtin}(...)` of it."
    return (
        "it has no exact JSON form",
        (
            "Return plain data, a dataclass or a pydantic model, "
            "or register a codec (`TypeRegistry.register_codec`)."
        ),
    )
