"""Values: what functions take and return, in Sematic's own JSON forms, and back.

Owns which of those forms are recorded. Sematic pickles what it has no form for, and its forms of
dataclasses name modules to import. Recorded data never becomes code here: no pickle is written or read, and a
class is only looked up in modules that this process has loaded itself (modules.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sematic.abstract_future import AbstractFuture
from sematic.function import Function
from sematic.types.serialization import value_from_json_encodable, value_to_json_encodable

from omium.adapters.sematic.modules import to_local, to_recorded
from omium.adapters.sematic.order import put_in_order
from omium.errors import Undecodable, Unserialisable

_PICKLE: Final = {"pickle"}


def encode_output(who: str, value: Any, type_: Any) -> Any:
    """Return `value` as Sematic writes it; `Unserialisable` says that `who` returned what has no form."""
    try:
        form = put_in_order(value_to_json_encodable(value, type_), value)
    except Exception as error:  # whatever the encoder of a type raises for a value that is not of the type
        raise Unserialisable(
            f"{who} returned something that Sematic cannot write as {type_!r}: {error}",
            type_name=type(value).__name__,
        ) from error
    if _has_pickle(form):
        raise Unserialisable(
            f"{who} returned something that Sematic could only pickle, and pickles are not recorded: reading "
            "one runs what it says. Return a dataclass, lists, texts and numbers, or the place where it is.",
            type_name=type(value).__name__,
        )
    return to_recorded(form)


def decode_output(who: str, form: Any, type_: Any) -> Any:
    """Return the value that is recorded as `form`; `Undecodable` where that would load code, or cannot be."""
    if _has_pickle(form):
        raise Undecodable(f"{who}: the record holds a pickle, which is not read. Replay from this function.")
    try:
        local = to_local(form)
    except LookupError as missing:
        raise Undecodable(
            f"{who}: the record holds a class of {missing}, which is not loaded here. Import it where the "
            "pipeline is defined."
        ) from missing
    try:
        return value_from_json_encodable(local, type_)
    except Exception as error:  # a record of a class that has changed, or that somebody has edited
        raise Undecodable(f"{who}: the record cannot be read as {type_!r}: {error}") from error


def encode_inputs(future: AbstractFuture) -> dict[str, object]:
    """Return what a function is given, by name, in Sematic's forms; what has none stays as it is."""
    types = future.function.input_types
    inputs: dict[str, object] = {}
    for name, value in future.resolved_kwargs.items():
        try:
            form = put_in_order(value_to_json_encodable(value, types[name]), value)
        except Exception:  # then Omium records it as far as it can
            form = value
        inputs[name] = value if _has_pickle(form) else to_recorded(form)
    return inputs


def make_future(function: Function, inputs: Mapping[str, Any]) -> AbstractFuture:
    """Return the future of a pipeline that is called with `inputs`: values, or the JSON that people gave."""
    types = function.input_types
    return function(**{name: _read(value, types.get(name)) for name, value in inputs.items()})


def _read(value: Any, type_: Any) -> Any:
    """Return the value that JSON stands for where its type has a form of its own, such as an enum's name."""
    if not isinstance(value, str | dict | list) or type_ in {None, str}:
        return value
    with contextlib.suppress(Exception):  # no value of the type, so perhaps Sematic's form of one
        return Function.cast_value(value, type_)
    try:
        return decode_output("The input", value, type_)
    except Undecodable:
        return value  # Sematic itself says what is wrong with it


def _has_pickle(form: Any) -> bool:
    return any(isinstance(part, dict) and part.keys() == _PICKLE for part in _list_parts(form))


def _list_parts(form: Any) -> Iterator[Any]:
    stack = [form]
    while stack:
        part = stack.pop()
        yield part
        if isinstance(part, dict):
            stack += part.values()
        elif isinstance(part, list | tuple):
            stack += part
