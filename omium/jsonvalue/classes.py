"""Values of a user's own classes: dataclasses, pydantic models, enums, namedtuples.

Owns taking such a value apart into named parts, and putting it together again **without running any of the
user's code**: no `__init__`, `__post_init__`, validator or setter is called, so recorded data cannot make
code run, and what comes back is what was there. (Validating again would change values: validators strip,
hash, fetch.) Which class a name means is registry.py's matter.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
import types
from collections.abc import Mapping
from typing import Any, cast

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement, not in C


class MismatchError(ValueError):
    """The recorded parts do not fit the class as it is now."""


def is_dataclass_type(class_: type) -> bool:
    """Say whether values of `class_` are nothing but their attributes and may be put together from them."""
    return dataclasses.is_dataclass(class_) and _has_only_attributes(class_)


def is_enum_type(class_: type) -> bool:
    """Say whether values of `class_` are members of an Enum."""
    return issubclass(class_, enum.Enum)


def is_namedtuple_type(class_: type) -> bool:
    """Say whether `class_` is a named tuple and nothing more."""
    return (
        issubclass(class_, tuple)
        and isinstance(getattr(class_, "_fields", None), tuple)
        and class_.__new__ is not tuple.__new__
        and _bases_outside(class_, tuple) == []
    )


def is_model_type(class_: type) -> bool:
    """Say whether `class_` is a pydantic model; pydantic is not imported to find out."""
    model = getattr(sys.modules.get("pydantic.main"), "BaseModel", None)
    return isinstance(model, type) and issubclass(class_, model) and not hasattr(class_, "__del__")


def is_url_type(class_: type) -> bool:
    """Say whether `class_` is one of pydantic's URL types."""
    url = getattr(sys.modules.get("pydantic.networks"), "AnyUrl", None)
    return isinstance(url, type) and issubclass(class_, url)


def take_dataclass(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (fields, further attributes such as those that `__post_init__` set) of `value`."""
    state = dict(getattr(value, "__dict__", {}))
    for name, slot in _slots(type(value)).items():
        try:
            state[name] = slot.__get__(value)
        except AttributeError:  # a slot that was never filled stays so
            continue
    names = [field.name for field in dataclasses.fields(value) if field.name in state]
    fields = {name: state.pop(name) for name in names}
    return fields, state


def make_dataclass_value(class_: type, fields: dict[str, Any], extra: dict[str, Any]) -> object:
    """Return the value of `class_` with these attributes; fields that are newer get their default."""
    known = {field.name: field for field in dataclasses.fields(class_)}
    if unknown := [name for name in fields if name not in known]:
        raise MismatchError(f"the class has no field {unknown[0]!r} any more")
    state = {**fields, **extra}
    for name, field in known.items():
        if name in fields:
            continue
        if field.default is not dataclasses.MISSING:
            state[name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            state[name] = field.default_factory()
        elif field.init:
            raise MismatchError(f"the recorded value lacks the field {name!r}, which has no default")
    made: Any = object.__new__(class_)
    slots = _slots(class_)
    for name, value in state.items():
        if (slot := slots.get(name)) is not None:
            slot.__set__(made, value)
        else:
            made.__dict__[name] = value
    return made


def take_namedtuple(value: Any) -> dict[str, Any]:
    """Return the fields of a named tuple."""
    return dict(zip(value._fields, tuple(value), strict=True))


def make_namedtuple(class_: Any, fields: dict[str, Any]) -> object:
    """Return the named tuple of `class_` with these fields; newer fields get their default."""
    defaults = class_._field_defaults
    if unknown := [name for name in fields if name not in class_._fields]:
        raise MismatchError(f"the class has no field {unknown[0]!r} any more")
    if missing := [name for name in class_._fields if name not in fields and name not in defaults]:
        raise MismatchError(f"the recorded value lacks the field {missing[0]!r}, which has no default")
    return tuple.__new__(class_, [fields[n] if n in fields else defaults[n] for n in class_._fields])


@dataclasses.dataclass(frozen=True, slots=True)
class ModelParts:
    """What a pydantic model is made of: pydantic compares and pickles exactly these."""

    fields: dict[str, Any]
    fields_set: list[str]
    extra: dict[str, Any] | None
    private: dict[str, Any] | None


def take_model(value: Any) -> ModelParts:
    """Return the parts of a pydantic model, without what it only caches."""
    state = value.__dict__
    undefined = sys.modules["pydantic_core"].PydanticUndefined
    private = value.__pydantic_private__
    return ModelParts(
        fields={name: state[name] for name in type(value).model_fields if name in state},
        fields_set=sorted(value.__pydantic_fields_set__),
        extra=value.__pydantic_extra__,
        private=None if private is None else {n: v for n, v in private.items() if v is not undefined},
    )


def make_model(class_: Any, parts: ModelParts) -> object:
    """Return the model with these parts, the way pydantic unpickles one: nothing is validated again."""
    known = class_.model_fields
    if unknown := [name for name in parts.fields if name not in known]:
        raise MismatchError(f"the model has no field {unknown[0]!r} any more")
    fields: dict[str, Any] = {}
    for name, field in known.items():
        if name in parts.fields:
            fields[name] = parts.fields[name]
        elif field.is_required():
            raise MismatchError(f"the recorded value lacks the field {name!r}, which has no default")
        else:
            fields[name] = field.get_default(call_default_factory=True, validated_data=fields)
    base = sys.modules["pydantic.main"].BaseModel
    made = base.__new__(class_)
    base.__setstate__(
        made,
        {
            "__dict__": fields,
            "__pydantic_fields_set__": set(parts.fields_set),
            "__pydantic_extra__": parts.extra,
            "__pydantic_private__": parts.private,
        },
    )
    return cast("object", made)


def take_enum(value: enum.Enum) -> str | int | None:
    """Return the name of a member, the number of a combination of flags, or None if neither says it all."""
    class_ = type(value)
    name: str | None = value.name  # None for a combination of flags that has no name
    if name is not None and class_.__members__.get(name) is value:
        return name
    return value.value if isinstance(value, enum.Flag) and type(value.value) is int else None


def make_enum(class_: type, form: object) -> enum.Enum:
    """Return the member of `class_` that `take_enum` described as `form`."""
    assert issubclass(class_, enum.Enum)
    if isinstance(form, int) and issubclass(class_, enum.Flag):
        return class_(form)
    member = class_.__members__.get(str(form))
    if member is None:
        raise MismatchError(f"the class has no member {form!r} any more")
    return member


def _slots(class_: type) -> dict[str, types.MemberDescriptorType]:
    found: dict[str, types.MemberDescriptorType] = {}
    for each in reversed(class_.__mro__):
        found |= {n: m for n, m in vars(each).items() if isinstance(m, types.MemberDescriptorType)}
    return found


def _has_only_attributes(class_: type) -> bool:
    """Say whether a value is its attributes: no builtin base holds more, and nothing happens when it goes."""
    return _bases_outside(class_, object) == [] and not hasattr(class_, "__del__")


def _bases_outside(class_: type, allowed: type) -> list[type]:
    return [
        each
        for each in class_.__mro__
        if each is not allowed and each is not object and not each.__flags__ & _HEAP_TYPE
    ]


def names_of(form: object) -> dict[str, Any]:
    """Return `form` if it is an object with attribute names; raise TypeError otherwise."""
    if not isinstance(form, Mapping) or not all(isinstance(name, str) for name in form):
        raise TypeError("expected named parts")
    return dict(form)
