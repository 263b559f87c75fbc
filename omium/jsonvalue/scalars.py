# ruff: noqa: D103  # the pairs of functions are described once, below
"""Tagged forms of values without parts: numbers, texts, times, paths.

Owns one pair of functions per type: `to_*` returns the JSON that stands after the tag, `from_*` reads it
and may raise any ValueError, TypeError or ArithmeticError at a malformed one. Only exact types come here; a
subclass has more to it than its text.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
import pathlib
import re
import sys
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from omium.jsonvalue.canonical import JsonValue

Writer = Callable[[Any], JsonValue]
Reader = Callable[[Any], object]

_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,3}")
_MAX_DECIMAL_BITS = 4096  # beyond it hexadecimal: decimal digits take quadratic time, and Python limits them
_PATHS: Final[dict[str, type[pathlib.PurePath]]] = {
    kind.__name__: kind
    for kind in (
        pathlib.PosixPath,
        pathlib.WindowsPath,
        pathlib.PurePosixPath,
        pathlib.PureWindowsPath,
    )
}


class UnknownZoneError(TypeError):
    """The tzinfo of a datetime or time has no exact form."""


def to_int(value: int) -> JsonValue:
    return str(value) if value.bit_length() <= _MAX_DECIMAL_BITS else hex(value)


def from_int(form: str) -> int:
    return int(form, 0)


def to_float(value: float) -> JsonValue:
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def from_float(form: str) -> float:
    return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[form]


def to_str(value: str) -> JsonValue:
    """For texts that JSON readers refuse: lone surrogates (`os.fsdecode`) and NUL."""
    return to_bytes(value.encode("utf-8", "surrogatepass"))


def from_str(form: str) -> str:
    return from_bytes(form).decode("utf-8", "surrogatepass")


def to_bytes(value: bytes) -> JsonValue:
    return base64.b64encode(value).decode()


def from_bytes(form: str) -> bytes:
    return base64.b64decode(form, validate=True)


def from_bytearray(form: str) -> bytearray:
    return bytearray(from_bytes(form))


def to_complex(value: complex) -> JsonValue:
    return [repr(value.real), repr(value.imag)]


def from_complex(form: list[str]) -> complex:
    real, imaginary = form
    return complex(float(real), float(imaginary))


def to_range(value: range) -> JsonValue:
    return [to_int(value.start), to_int(value.stop), to_int(value.step)]


def from_range(form: list[str]) -> range:
    start, stop, step = form
    return range(from_int(start), from_int(stop), from_int(step))


def from_decimal(form: str) -> Decimal:
    if not isinstance(form, str):  # Decimal(0.1) would take a float and make something else of it
        raise TypeError("a decimal is recorded as text")
    return Decimal(form)


def to_date(value: dt.date) -> JsonValue:
    return value.isoformat()


def to_timedelta(value: dt.timedelta) -> JsonValue:
    return [value.days, value.seconds, value.microseconds]


def from_timedelta(form: list[int]) -> dt.timedelta:
    days, seconds, microseconds = form
    return dt.timedelta(days, seconds, microseconds)


def to_datetime(value: dt.datetime) -> JsonValue:
    """A text where that says it all; else [local time, zone, fold]."""
    return _to_moment(value)


def from_datetime(form: JsonValue) -> dt.datetime:
    if isinstance(form, str):
        return dt.datetime.fromisoformat(form)
    local, zone, fold = _zoned(form)
    return dt.datetime.fromisoformat(local).replace(tzinfo=_from_zone(zone), fold=fold)


def to_time(value: dt.time) -> JsonValue:
    return _to_moment(value)


def from_time(form: JsonValue) -> dt.time:
    if isinstance(form, str):
        return dt.time.fromisoformat(form)
    local, zone, fold = _zoned(form)
    return dt.time.fromisoformat(local).replace(tzinfo=_from_zone(zone), fold=fold)


def _to_moment(value: dt.datetime | dt.time) -> JsonValue:
    zone = value.tzinfo
    if value.fold == 0 and (zone is None or _is_plain_offset(zone)):
        return value.isoformat()
    return [value.replace(tzinfo=None, fold=0).isoformat(), _to_zone(zone), value.fold]


def _is_plain_offset(zone: dt.tzinfo) -> bool:
    """Say whether ISO text holds all of `zone`: `fromisoformat` takes +00:00:00.000001 for UTC."""
    if type(zone) is not dt.timezone:
        return False
    offset, *name = _arguments(zone)
    return not name and offset.microseconds == 0


def _zoned(form: JsonValue) -> tuple[str, JsonValue, int]:
    if not isinstance(form, list):
        raise TypeError("a time is recorded as text or a list")
    local, zone, fold = form
    if not isinstance(local, str) or fold not in {0, 1}:
        raise TypeError("a zoned time is recorded as [text, zone, fold]")
    return local, zone, int(bool(fold))


def _arguments(zone: dt.timezone) -> tuple[Any, ...]:
    return zone.__getinitargs__()  # type: ignore[attr-defined,no-any-return]  # (offset,) or (offset, name)


def _to_zone(zone: dt.tzinfo | None) -> JsonValue:
    """The zone itself, because a fixed offset would move a meeting when summer time begins."""
    if zone is None:
        return None
    if type(zone) is dt.timezone:
        offset, *name = _arguments(zone)
        return {"offset": to_timedelta(offset), "name": name[0] if name else None}
    library = getattr(sys.modules.get("zoneinfo"), "ZoneInfo", None)
    if library is not None and type(zone) is library:
        key = getattr(zone, "key", None)
        if isinstance(key, str) and _ZONE_KEY.fullmatch(key):
            return {"zone": key}
    library = getattr(sys.modules.get("pydantic_core"), "TzInfo", None)
    if library is not None and type(zone) is library and (offset := zone.utcoffset(None)) is not None:
        return {"pydantic": int(offset.total_seconds())}
    kind = type(zone)
    raise UnknownZoneError(f"its time zone is a {kind.__module__}.{kind.__qualname__}")


def _from_zone(form: JsonValue) -> dt.tzinfo | None:
    if form is None:
        return None
    match form:
        case {"zone": str(key)} if _ZONE_KEY.fullmatch(key):
            from zoneinfo import ZoneInfo  # noqa: PLC0415  # 3 ms that only users of zones pay

            return ZoneInfo(key)
        case {"pydantic": int(seconds)}:
            library = getattr(sys.modules.get("pydantic_core"), "TzInfo", None)
            return library(seconds) if library is not None else dt.timezone(dt.timedelta(seconds=seconds))
        case {"offset": list(offset), "name": None}:
            return dt.timezone(from_timedelta(offset))  # type: ignore[arg-type]  # timedelta checks
        case {"offset": list(offset), "name": str(name)}:
            return dt.timezone(from_timedelta(offset), name)  # type: ignore[arg-type]  # as above
        case _:
            raise ValueError("this is not a recorded time zone")


def to_path(value: pathlib.PurePath) -> JsonValue:
    """[class, text], or [class, base64, "base64"] for a name that is not Unicode."""
    text = str(value)
    if not is_plain_text(text):
        return [type(value).__name__, to_str(text), "base64"]
    return [type(value).__name__, text]


def from_path(form: list[str]) -> pathlib.PurePath:
    kind, text, *encoding = form
    return _PATHS[kind](from_str(text) if encoding else text)


def is_plain_text(text: str) -> bool:
    """Say whether JSON readers take `text`: they refuse NUL characters and lone surrogates."""
    if "\x00" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# tag, exact type, writer, reader. Types that pass through JSON as they are stand in encode.py.
SCALARS: Final[tuple[tuple[str, type, Writer, Reader], ...]] = (
    ("bytes", bytes, to_bytes, from_bytes),
    ("bytearray", bytearray, to_bytes, from_bytearray),
    ("complex", complex, to_complex, from_complex),
    ("range", range, to_range, from_range),
    ("decimal", Decimal, str, from_decimal),
    ("uuid", uuid.UUID, str, uuid.UUID),
    ("date", dt.date, to_date, dt.date.fromisoformat),
    ("datetime", dt.datetime, to_datetime, from_datetime),
    ("time", dt.time, to_time, from_time),
    ("timedelta", dt.timedelta, to_timedelta, from_timedelta),
    *(("path", kind, to_path, from_path) for kind in _PATHS.values()),
)
