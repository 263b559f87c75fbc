"""Cache keys: when a call of a function under `@sematic.func(cache=True)` is one that was made before.

Owns what a key is made of: as in Sematic the cache namespace, the function's full name, the type of its
output, and the name, type and value of each input; and, which Sematic leaves to the namespace, the function's
own code. That is the code as it was loaded: a file may have been edited since. What the function calls is not
in it.
"""

from __future__ import annotations

from types import CodeType
from typing import Any

from sematic.abstract_future import AbstractFuture
from sematic.types.serialization import type_to_json_encodable

from omium.adapters.sematic.modules import name_module, to_recorded
from omium.adapters.sematic.values import encode_inputs
from omium.jsonvalue import JsonValue, TypeRegistry, canonical_bytes, digest, input_record


def make_key(future: AbstractFuture, namespace: str | None, types: TypeRegistry) -> str | None:
    """Return the key of the call that `future` is; None where nothing tells it from another one.

    That is a call with an input that has no form, and a function that reads variables of the one around it.
    """
    function = future.function
    code: CodeType = function.func.__code__
    given = input_record(encode_inputs(future), types=types)
    if code.co_freevars or given.comparable != "full":
        return None
    parts: JsonValue = [
        namespace,
        get_full_name(future),
        _describe_type(function.output_type),
        {name: _describe_type(type_) for name, type_ in function.input_types.items()},
        given.digest,
        _describe_code(code),
    ]
    return digest(canonical_bytes(parts))


def get_full_name(future: AbstractFuture) -> str:
    """Return the name of the function with its module, the same in a script and in a worker."""
    function = future.function
    return f"{name_module(function.__module__)}.{function.__name__}"


def _describe_type(type_: Any) -> JsonValue:
    form: JsonValue = to_recorded(type_to_json_encodable(type_))
    return form


def _describe_code(code: CodeType) -> JsonValue:
    """Return what the code does, without where it stands: another line or folder is no change."""
    return [
        code.co_name,
        code.co_code.hex(),
        code.co_exceptiontable.hex(),
        [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags],
        [*code.co_names],
        [*code.co_varnames],
        [_describe_constant(each) for each in code.co_consts],
    ]


def _describe_constant(value: object) -> JsonValue:
    if isinstance(value, CodeType):
        return _describe_code(value)
    if isinstance(value, tuple):
        return [_describe_constant(each) for each in value]
    if isinstance(value, frozenset):  # as it stands, it is in the order of this process's hashes
        return {"set": [*sorted(repr(each) for each in value)]}
    return f"{type(value).__name__} {value!r}"
