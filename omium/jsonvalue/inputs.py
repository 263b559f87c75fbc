"""Inputs of a step: recorded as far as they can be, and digested, so that a change is noticed.

Owns semantics 2.3 for arguments. A parameter that has no JSON form (a client, a callable, `self`) never
fails a step: it is recorded as `{"$opaque": "module.Class"}` and its class counts in the digest. The digest
is made before any redaction, so a masked copy for people does not change it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from omium.errors import Unserialisable
from omium.jsonvalue.canonical import JsonValue, canonical_bytes
from omium.jsonvalue.encode import OPAQUE_KEY, encode
from omium.jsonvalue.limits import MAX_VALUE_BYTES
from omium.jsonvalue.registry import TypeRegistry, default_name

Comparable = Literal["full", "partial", "none"]


@dataclass(frozen=True, slots=True)
class InputRecord:
    """What is known of one call's arguments."""

    json: dict[str, JsonValue]
    """By parameter name, in the order of the signature."""
    digest: str
    """SHA-256 over the names and the canonical bytes or class names."""
    comparable: Comparable
    """Whether equal digests mean equal inputs: not where something opaque was passed."""
    opaque: tuple[str, ...] = ()
    """The parameters whose values are not in `json`; a replay cannot give them again."""


def input_record(
    bound_arguments: Mapping[str, object],
    ignore: Collection[str] = (),
    *,
    types: TypeRegistry | None = None,
) -> InputRecord:
    """Return the record of `bound_arguments`; parameters in `ignore` are left out altogether.

    A value too large to be recorded is digested in full but shown as opaque.
    """
    recorded: dict[str, JsonValue] = {}
    opaque: list[str] = []
    digests: dict[str, tuple[bytes, bytes]] = {}
    incomparable = 0
    room_bytes = MAX_VALUE_BYTES
    for name, value in bound_arguments.items():
        if name in ignore:
            continue
        try:
            form = encode(value, types=types)
            data = canonical_bytes(form)
        except Unserialisable:
            class_name = _class_of(value)
            incomparable += 1
            opaque.append(name)
            recorded[name] = {OPAQUE_KEY: class_name}
            digests[name] = (b"class", class_name.encode("utf-8", "surrogatepass"))
            continue
        digests[name] = (b"value", hashlib.sha256(data).digest())
        room_bytes -= len(data)
        if room_bytes >= 0:
            recorded[name] = form
        else:
            room_bytes += len(data)
            opaque.append(name)
            recorded[name] = {OPAQUE_KEY: _class_of(value)}
    comparable: Comparable = (
        "full" if not incomparable else "none" if incomparable == len(recorded) else "partial"
    )
    return InputRecord(recorded, _combine(digests), comparable, tuple(opaque))


def _class_of(value: object) -> str:
    return default_name(type(value)).replace(":", ".")


def digest_record(recorded: Mapping[str, JsonValue]) -> str:
    """Return the digest of a record that was edited: what `input_record` gives for these very values."""
    return _combine({name: _digest_form(form) for name, form in recorded.items()})


def _digest_form(form: JsonValue) -> tuple[bytes, bytes]:
    if isinstance(form, dict) and form.keys() == {OPAQUE_KEY}:
        return b"class", str(form[OPAQUE_KEY]).encode("utf-8", "surrogatepass")
    return b"value", hashlib.sha256(canonical_bytes(form)).digest()


def _combine(digests: Mapping[str, tuple[bytes, bytes]]) -> str:
    """Hash the parameters by name, each part with its length, so that no two records read the same."""
    parts: list[bytes] = []
    for name in sorted(digests):
        for part in (name.encode("utf-8", "surrogatepass"), *digests[name]):
            parts += (len(part).to_bytes(8, "big"), part)
    return hashlib.sha256(b"".join(parts)).hexdigest()
