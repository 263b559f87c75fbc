"""From recorded JSON back to Python values: the other half of encode.py.

Owns reading tagged forms. What was recorded is data that somebody may have edited, so every form is
checked, no module is imported for a name in it (registry.py), and no code of a user's class runs
(classes.py). Only codecs that were registered in this process run, on their own tag.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any, Final

from omium.errors import Undecodable
from omium.jsonvalue import classes, scalars
from omium.jsonvalue.canonical import JsonValue
from omium.jsonvalue.encode import FACTORIES
from omium.jsonvalue.registry import TAG_PREFIX, TypeRegistry, is_tag_key


class _Refused(Exception):  # an answer on its way up; each level adds its part of the path
    def __init__(self, reason: str, remedy: str, type_name: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.type_name = type_name
        self.path: list[str] = []


def decode(value: JsonValue, *, types: TypeRegistry | None = None) -> Any:
    """Return the Python value that `encode` made `value` from.

    Raises `Undecodable`, with the class's name and the place, for a class that is not imported or
    registered in this process, that has changed so that the recorded parts do not fit, or for a malformed
    form.
    """
    try:
        return _Decoder(types if types is not None else TypeRegistry()).decode(value)
    except _Refused as refused:
        path = "$" + "".join(reversed(refused.path))
        raise Undecodable(
            f"The recorded value at {path} cannot be rebuilt here: {refused.reason}. {refused.remedy}",
            type_name=refused.type_name,
            path=path,
        ) from None


class _Decoder:
    def __init__(self, types: TypeRegistry) -> None:
        self.types = types

    def decode(self, value: JsonValue) -> Any:
        if isinstance(value, dict):
            if len(value) == 1 and is_tag_key(key := next(iter(value))):
                return self.decode_tagged(key[len(TAG_PREFIX) :], value[key])
            return self.decode_parts(value)
        if isinstance(value, list):
            return self.decode_items(value)
        return value

    def decode_items(self, form: object) -> list[Any]:
        made: list[Any] = []
        try:
            for item in _list(form):
                made.append(self.decode(item))  # noqa: PERF401  # its length is the index in an error's path
        except _Refused as refused:
            refused.path.append(f"[{len(made)}]")
            raise
        return made

    def decode_parts(self, form: object) -> dict[str, Any]:
        """Decode the members of an object, which itself is no tagged form."""
        made: dict[str, Any] = {}
        name = ""
        try:
            for name, item in classes.names_of(form).items():
                made[name] = self.decode(item)
        except _Refused as refused:
            refused.path.append(f".{name}" if name.isidentifier() else f"[{name[:40]!a}]")
            raise
        return made

    def decode_pairs(self, form: object) -> list[tuple[Any, Any]]:
        made = []
        for pair in _list(form):
            key, item = _list(pair)
            made.append((self.decode(key), self.decode(item)))
        if len({key for key, _ in made}) != len(made):  # NaN keys are their own: each is another object
            raise ValueError("a key occurs twice")
        return made

    def decode_tagged(self, tag: str, form: JsonValue) -> Any:
        try:
            if (read_scalar := _SCALARS.get(tag)) is not None:
                return read_scalar(form)
            if (read := _CONTAINERS.get(tag)) is not None:
                return read(self, form)
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise _Refused(
                f"its form {TAG_PREFIX}{tag} is malformed ({error})", "Correct it, or re-run the step."
            ) from None
        return self.decode_with_codec(tag, form)

    def decode_with_codec(self, tag: str, form: JsonValue) -> Any:
        codec = self.types.find_codec_by_tag(tag)
        if codec is None:
            raise _Refused(
                f"nothing here reads {TAG_PREFIX}{tag}",
                "Import the adapter that recorded it, or update Omium.",
            )
        parts = self.decode(form)
        try:
            return codec.from_json(parts)
        except Exception as error:  # a boundary: an adapter's codec may raise anything at edited data
            raise _Refused(
                f"the codec {tag} refused it ({type(error).__name__}: {error})",
                "Correct it, or re-run the step.",
            ) from error

    def find_class(self, name: object, fits: Callable[[type], bool], kind: str) -> type:
        text = name if isinstance(name, str) else "?"
        found = self.types.find_class(text)
        if found is None:
            raise _Refused(
                f"the class {text} is not loaded in this process, and recorded data never imports anything",
                "Import its module before resuming, or register it with `TypeRegistry.register_class`.",
                text,
            )
        if not fits(found):
            raise _Refused(f"{text} is not a {kind}", "Correct the recorded value, or re-run the step.", text)
        return found

    def build(self, name: object, make: Callable[[], object]) -> object:
        """Run `make`, which puts together a value of the class `name`; say so if the class has changed."""
        try:
            return make()
        except classes.MismatchError as error:
            raise _Refused(
                f"{name} has changed since: {error}",
                "Give the field a default, or re-run the step from its inputs.",
                str(name),
            ) from None

    def read_dataclass(self, form: JsonValue) -> object:
        name, fields, *extra = _list(form)
        class_ = self.find_class(name, classes.is_dataclass_type, "dataclass")
        parts = self.decode_parts(fields)
        further = self.decode_parts(extra[0]) if extra else {}
        return self.build(name, lambda: classes.make_dataclass_value(class_, parts, further))

    def read_namedtuple(self, form: JsonValue) -> object:
        name, fields = _list(form)
        class_ = self.find_class(name, classes.is_namedtuple_type, "namedtuple")
        parts = self.decode_parts(fields)
        return self.build(name, lambda: classes.make_namedtuple(class_, parts))

    def read_model(self, form: JsonValue) -> object:
        name, fields, *rest = _list(form)
        class_ = self.find_class(name, classes.is_model_type, "pydantic model")
        made = self.decode_parts(fields)
        further = self.decode_parts(rest[0]) if rest else {}
        extra, private = further.get("extra"), further.get("private")
        parts = classes.ModelParts(
            fields=made,
            fields_set=[str(each) for each in _list(further.get("set", list(made)))],
            extra=None if extra is None else classes.names_of(extra),
            private=None if private is None else classes.names_of(private),
        )
        return self.build(name, lambda: classes.make_model(class_, parts))

    def read_enum(self, form: JsonValue) -> object:
        name, member = _list(form)
        class_ = self.find_class(name, classes.is_enum_type, "Enum")
        return self.build(name, lambda: classes.make_enum(class_, member))

    def read_url(self, form: JsonValue) -> object:
        name, text = _list(form)
        return self.find_class(name, classes.is_url_type, "URL of pydantic")(text)

    def read_defaultdict(self, form: JsonValue) -> object:
        factory, pairs = _list(form)
        return defaultdict(FACTORIES[factory], self.decode_pairs(pairs))

    def read_deque(self, form: JsonValue) -> object:
        maxlen, items = _list(form)
        return deque(self.decode_items(items), maxlen)

    def read_counter(self, form: JsonValue) -> object:
        made: Counter[Any] = Counter()
        dict.update(made, self.decode_pairs(form))  # Counter.update would add, and count pairs
        return made


def _list(form: object) -> list[Any]:
    if not isinstance(form, list):
        raise TypeError("expected a list")
    return form


_SCALARS: Final[dict[str, scalars.Reader]] = {
    "int": scalars.from_int,
    "float": scalars.from_float,
    "str": scalars.from_str,
    **{tag: read for tag, _, _, read in scalars.SCALARS},
}
_CONTAINERS: Final[dict[str, Callable[[_Decoder, JsonValue], object]]] = {
    "dict": lambda decoder, form: dict(decoder.decode_pairs(form)),
    "ordereddict": lambda decoder, form: OrderedDict(decoder.decode_pairs(form)),
    "counter": _Decoder.read_counter,
    "defaultdict": _Decoder.read_defaultdict,
    "tuple": lambda decoder, form: tuple(decoder.decode_items(form)),
    "set": lambda decoder, form: set(decoder.decode_items(form)),
    "frozenset": lambda decoder, form: frozenset(decoder.decode_items(form)),
    "deque": _Decoder.read_deque,
    "dataclass": _Decoder.read_dataclass,
    "namedtuple": _Decoder.read_namedtuple,
    "model": _Decoder.read_model,
    "enum": _Decoder.read_enum,
    "url": _Decoder.read_url,
}
