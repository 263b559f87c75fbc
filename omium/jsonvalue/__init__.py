"""Values as JSON: reading strangers' JSON, and recording what steps take and return.

    parse.py       hostile bytes to JsonValue          locate.py    where a refused document is wrong
    canonical.py   JsonValue to bytes, and digests     inputs.py    best-effort records of arguments
    encode.py      Python values to JsonValue          decode.py    and back, equal and of the same type
    scalars.py     the forms of times, numbers, paths  classes.py   of dataclasses, models, enums
    registry.py    which classes and codecs are known  plain.py     tags taken off, for people and expressions
    limits.py      every bound, in one place           refusal.py   the words of a refusal

Nothing here does I/O or knows executions. Security rule: recorded data never becomes code (registry.py).
"""

from omium.jsonvalue.canonical import (
    JsonValue,
    canonical_bytes,
    canonical_of,
    digest,
    is_surely_small,
    json_bytes,
)
from omium.jsonvalue.decode import decode
from omium.jsonvalue.encode import encode, encode_bytes
from omium.jsonvalue.inputs import Comparable, InputRecord, digest_record, input_record
from omium.jsonvalue.limits import INLINE_BYTES, MAX_VALUE_BYTES, JsonLimits
from omium.jsonvalue.parse import parse_json
from omium.jsonvalue.plain import plain
from omium.jsonvalue.registry import Codec, TypeRegistry

__all__ = [
    "INLINE_BYTES",
    "MAX_VALUE_BYTES",
    "Codec",
    "Comparable",
    "InputRecord",
    "JsonLimits",
    "JsonValue",
    "TypeRegistry",
    "canonical_bytes",
    "canonical_of",
    "decode",
    "digest",
    "digest_record",
    "encode",
    "encode_bytes",
    "input_record",
    "is_surely_small",
    "json_bytes",
    "parse_json",
    "plain",
]
