"""From what people return to JSON: exactly, or not at all.

Owns the walk over a Python value and the tagged forms of containers. A value comes back from decode.py
equal and of the same type at every level; what cannot is refused with its type and its place, never passed
through `str()` or pickle. A user's own dict that looks like a tagged form is written as a list of pairs.
Not owned: how much a step may record (the caller compares with `MAX_VALUE_BYTES`) and best-effort inputs
(inputs.py).
"""

from __future__ import annotations

import enum
import math
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from omium.errors import Unserialisable
from omium.jsonvalue import classes, scalars
from omium.jsonvalue.canonical import JsonValue, canonical_bytes, json_bytes
from omium.jsonvalue.limits import ENCODED_LIMITS, MAX_INTEGER, MAX_VALUE_BYTES, MIN_INTEGER
from omium.jsonvalue.refusal import NotRepresentable, key_path, type_name, why_not
from omium.jsonvalue.registry import TAG_PREFIX, Codec, TypeRegistry, is_tag_key

_LIMITS = ENCODED_LIMITS
OPAQUE_KEY = "$opaque"  # stands for an input that could not be recorded; a user's own dict is escaped

FACTORIES: Final[dict[str, type | None]] = {
    "none": None, "list": list, "dict": dict, "set": set, "tuple": tuple,
    "int": int, "float": float, "str": str, "bool": bool,
}  # fmt: skip
_FACTORY_NAMES = {factory: name for name, factory in FACTORIES.items()}


def encode(value: object, *, types: TypeRegistry | None = None) -> JsonValue:
    """Return the JSON form of `value`, which `decode` turns back into an equal value of the same type.

    Raises `Unserialisable` with the type's name and the place inside the value, such as `$.items[3].client`.
    """
    try:
        return _Encoder(types).encode(value, 0)
    except NotRepresentable as refused:
        path = "$" + "".join(reversed(refused.path))
        raise Unserialisable(
            f"A {refused.type_name} at {path} cannot be recorded: {refused.reason}. {refused.remedy}",
            type_name=refused.type_name,
            path=path,
        ) from None


def encode_bytes(value: object, *, types: TypeRegistry | None = None) -> bytes:
    """Return the JSON text of `encode(value)`; `Unserialisable` also above `MAX_VALUE_BYTES`."""
    data = json_bytes(encode(value, types=types))
    if len(data) > MAX_VALUE_BYTES:
        raise Unserialisable(
            f"The value takes {len(data)} bytes; one recorded value may take {MAX_VALUE_BYTES}. "
            "Save it to a file or a store, and return where it is.",
            type_name=type_name(type(value)),
        )
    return data


class _Encoder:
    """One walk. `depth` counts the JSON containers around a value."""

    def __init__(self, types: TypeRegistry | None) -> None:
        self.types = types if types is not None else _NO_TYPES
        self.containers = 0
        self.values = 0

    def encode(self, value: Any, depth: int) -> JsonValue:
        class_ = type(value)
        if class_ is str:
            if value.isascii() and "\x00" not in value:
                return value  # type: ignore[no-any-return]
            return value if scalars.is_plain_text(value) else {TAG_PREFIX + "str": scalars.to_str(value)}
        writer = _WRITERS.get(class_)
        if writer is not None:
            return writer(self, value, depth)
        return self.encode_other(value, class_, depth)

    def enter(self, value: Any, depth: int, count: int) -> None:
        """Count one JSON container with `count` members at `depth`, so that cycles and giants end."""
        self.containers += 1
        self.values += count
        if depth > _LIMITS.max_depth:
            raise NotRepresentable(
                value,
                f"it is nested deeper than {_LIMITS.max_depth} levels, or contains itself",
                "Return flatter data.",
            )
        if self.containers > _LIMITS.max_containers or self.values > _LIMITS.max_values:
            raise NotRepresentable(
                value,
                f"the whole has more than {_LIMITS.max_containers} containers or {_LIMITS.max_values} values",
                "Save it to a file or a store, and return where it is.",
            )

    def encode_items(self, value: Any, depth: int, owner: Any) -> list[JsonValue]:
        """Encode the members of a list or another iterable with a length, as a JSON list at `depth`."""
        self.enter(owner, depth, len(value))
        made: list[JsonValue] = []
        encode, append = self.encode, made.append
        try:
            for item in value:
                append(encode(item, depth))
        except NotRepresentable as refused:
            refused.path.append(f"[{len(made)}]")
            raise
        return made

    def encode_parts(self, parts: dict[str, Any], depth: int, owner: Any) -> dict[str, JsonValue]:
        """Encode attributes by name, as a JSON object at `depth`."""
        self.enter(owner, depth, len(parts))
        made: dict[str, JsonValue] = {}
        name = ""
        try:
            for name, part in parts.items():
                made[name] = self.encode(part, depth)
        except NotRepresentable as refused:
            refused.path.append(f".{name}")
            raise
        return made

    def encode_dict(self, value: dict[Any, Any], depth: int) -> JsonValue:
        depth += 1
        self.enter(value, depth, len(value))
        made: dict[str, JsonValue] = {}
        key: Any = None
        encode = self.encode
        try:
            for key, item in value.items():
                if type(key) is not str or "\x00" in key or not (key.isascii() or scalars.is_plain_text(key)):
                    break
                made[key] = encode(item, depth)
        except NotRepresentable as refused:
            refused.path.append(key_path(key))
            raise
        looks_tagged = len(made) == len(value) == 1 and (is_tag_key(key) or key == OPAQUE_KEY)
        if len(made) < len(value) or len(made) > _LIMITS.max_keys or looks_tagged:
            return self.tagged_pairs("dict", value, depth)
        return made

    def tagged_pairs(self, tag: str, value: dict[Any, Any], depth: int) -> JsonValue:
        """Write a dict as a list of [key, value], `depth` being that of the object around the list."""
        return {TAG_PREFIX + tag: self.encode_pairs(value, depth + 1)}

    def encode_pairs(self, value: dict[Any, Any], depth: int) -> list[JsonValue]:
        self.containers += len(value)  # each pair is a list
        self.enter(value, depth, 2 * len(value))
        made: list[JsonValue] = []
        key: Any = None
        for key, item in value.items():
            try:
                encoded_key = self.encode(key, depth + 1)
            except NotRepresentable as refused:
                refused.path.append(".keys()")
                raise
            try:
                made.append([encoded_key, self.encode(item, depth + 1)])
            except NotRepresentable as refused:
                refused.path.append(key_path(key))
                raise
        return made

    def tagged_items(self, tag: str, value: Any, depth: int) -> JsonValue:
        self.enter(value, depth + 1, 1)
        return {TAG_PREFIX + tag: self.encode_items(value, depth + 2, value)}

    def tagged_set(self, tag: str, value: Iterable[Any], depth: int) -> JsonValue:
        """Sort the members by their canonical text: a set has no order, and a digest must not see one."""
        self.enter(value, depth + 1, 1)
        try:
            members = self.encode_items(value, depth + 2, value)
        except NotRepresentable as refused:
            refused.path[-1] = "{}"  # a member of a set has no index
            raise
        return {TAG_PREFIX + tag: sorted(members, key=canonical_bytes)}

    def tagged_parts(self, tag: str, value: Any, depth: int, *parts: dict[str, Any]) -> JsonValue:
        """Write a value of a user's class: its name, then its parts."""
        self.enter(value, depth + 1, 1)
        name = self.name_of(value)
        encoded: list[JsonValue] = [name]
        encoded += [self.encode_parts(each, depth + 3, value) for each in parts]
        return {TAG_PREFIX + tag: encoded}

    def name_of(self, value: Any) -> str:
        name = self.types.find_name(type(value))
        if name is None:
            raise NotRepresentable(
                value,
                "its class cannot be found again by its name",
                "Define the class at the top of a module, or register it with `TypeRegistry.register_class`.",
            )
        return name

    def encode_other(self, value: Any, class_: type, depth: int) -> JsonValue:
        """Encode what is not one of the exact types in `_WRITERS`."""
        if (codec := self.types.find_codec(class_)) is not None:
            return self.encode_with(codec, value, depth)
        if isinstance(value, enum.Enum):
            form = classes.take_enum(value)
            if form is not None:
                return {TAG_PREFIX + "enum": [self.name_of(value), form]}
        elif classes.is_namedtuple_type(class_) and not getattr(value, "__dict__", None):
            return self.tagged_parts("namedtuple", value, depth, classes.take_namedtuple(value))
        elif classes.is_dataclass_type(class_):
            fields, extra = classes.take_dataclass(value)
            return self.tagged_parts("dataclass", value, depth, fields, *([extra] if extra else []))
        elif classes.is_model_type(class_):
            return self.encode_model(value, depth)
        elif classes.is_url_type(class_):
            return {TAG_PREFIX + "url": [self.name_of(value), str(value)]}
        raise NotRepresentable(value, *why_not(value, _WRITERS))

    def encode_with(self, codec: Codec, value: Any, depth: int) -> JsonValue:
        self.enter(value, depth + 1, 1)
        try:
            return {TAG_PREFIX + codec.tag: self.encode(codec.to_json(value), depth + 1)}
        except NotRepresentable as refused:
            refused.path.append(f".<{codec.tag}>")
            raise

    def encode_model(self, value: Any, depth: int) -> JsonValue:
        parts = classes.take_model(value)
        further: dict[str, Any] = {}
        if parts.fields_set != sorted(parts.fields):
            further["set"] = parts.fields_set
        if parts.extra is not None:
            further["extra"] = parts.extra
        if parts.private is not None:
            further["private"] = parts.private
        return self.tagged_parts("model", value, depth, parts.fields, *([further] if further else []))


def _encode_int(_encoder: _Encoder, value: int, _depth: int) -> JsonValue:
    if MIN_INTEGER <= value <= MAX_INTEGER:
        return value
    return {TAG_PREFIX + "int": scalars.to_int(value)}


def _encode_float(_encoder: _Encoder, value: float, _depth: int) -> JsonValue:
    return value if math.isfinite(value) else {TAG_PREFIX + "float": scalars.to_float(value)}


def _encode_list(encoder: _Encoder, value: list[Any], depth: int) -> JsonValue:
    return encoder.encode_items(value, depth + 1, value)


def _encode_defaultdict(encoder: _Encoder, value: defaultdict[Any, Any], depth: int) -> JsonValue:
    factory: Any = value.default_factory
    name = _FACTORY_NAMES.get(factory) if factory is None or isinstance(factory, type) else None
    if name is None:
        raise NotRepresentable(
            value, "its default factory is not a builtin class", "Return `dict(...)` of it."
        )
    encoder.enter(value, depth + 2, 2)
    return {TAG_PREFIX + "defaultdict": [name, encoder.encode_pairs(value, depth + 3)]}


def _encode_deque(encoder: _Encoder, value: deque[Any], depth: int) -> JsonValue:
    encoder.enter(value, depth + 2, 2)
    return {TAG_PREFIX + "deque": [value.maxlen, encoder.encode_items(value, depth + 3, value)]}


def _as_is(_encoder: _Encoder, value: Any, _depth: int) -> JsonValue:
    return value  # type: ignore[no-any-return]  # None and bool


def _scalar(tag: str, write: scalars.Writer) -> Callable[[_Encoder, Any, int], JsonValue]:
    key = TAG_PREFIX + tag

    def encode_scalar(_encoder: _Encoder, value: Any, _depth: int) -> JsonValue:
        try:
            return {key: write(value)}
        except scalars.UnknownZoneError as error:
            raise NotRepresentable(value, str(error), "Use datetime.timezone or zoneinfo.ZoneInfo.") from None

    return encode_scalar


_NO_TYPES = TypeRegistry()  # empty, and nothing is ever registered with it
_WRITERS: Final[dict[type, Callable[[_Encoder, Any, int], JsonValue]]] = {
    type(None): _as_is,
    bool: _as_is,
    int: _encode_int,
    float: _encode_float,
    dict: _Encoder.encode_dict,
    list: _encode_list,
    tuple: lambda encoder, value, depth: encoder.tagged_items("tuple", value, depth),
    set: lambda encoder, value, depth: encoder.tagged_set("set", value, depth),
    frozenset: lambda encoder, value, depth: encoder.tagged_set("frozenset", value, depth),
    OrderedDict: lambda encoder, value, depth: encoder.tagged_pairs("ordereddict", value, depth + 1),
    Counter: lambda encoder, value, depth: encoder.tagged_pairs("counter", value, depth + 1),
    defaultdict: _encode_defaultdict,
    deque: _encode_deque,
    **{kind: _scalar(tag, write) for tag, kind, write, _ in scalars.SCALARS},
}
