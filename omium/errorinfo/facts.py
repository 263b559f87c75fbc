"""What decisions about an error look at: whether it is tried again, whether it counts against a provider.

Read from an exception of any library, or from the JSON of an `ErrorInfo`, alike: names of classes, code, HTTP
status, Retry-After. Attributes are looked for under the names that HTTP clients and model providers use.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from omium.errorinfo.model import NAME_CHARACTERS_MAX, RETRY_AFTER_S_MAX, ErrorInfo, clip, read_seconds


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """What decides whether an error is tried again, or counts against a provider."""

    names: frozenset[str]
    """Plain and qualified names of its class and the classes that it derives from."""
    code: str
    status: int | None
    retry_after_s: float | None


def read_facts(error: BaseException | Mapping[str, object], *, now_us: int | None = None) -> ErrorFacts:
    """Return the facts about an exception or the JSON of an `ErrorInfo`.

    `now_us` (default: the system's clock) is what a Retry-After with a date is measured from.
    """
    if isinstance(error, Mapping):
        info = ErrorInfo.from_json(error)
        names = [info.type, info.qualified_type, *info.bases, "Exception", "BaseException"]
        return ErrorFacts(_with_plain_names(names), info.code, info.status, info.retry_after_s)
    names = [qualified_name(base) for base in type(error).__mro__ if base is not object]
    return ErrorFacts(
        _with_plain_names(names), read_code(error), read_status(error), read_retry_after_s(error, now_us)
    )


def read_code(error: BaseException) -> str:
    """Return the error's own code as text, empty if it has none."""
    code = _get(error, "code")
    if type(code) is int or isinstance(code, str):
        return clip(str(code), NAME_CHARACTERS_MAX)
    return ""


def read_status(error: BaseException) -> int | None:
    """Return the HTTP status that the exception or its response carries."""
    for holder in (error, _get(error, "response")):
        for name, least in (("status_code", 100), ("status", 100), ("code", 400)):  # exit codes are below 400
            status = _get(holder, name)
            if type(status) is int and least <= status <= 599:
                return status
    return None


def read_retry_after_s(error: BaseException, now_us: int | None = None) -> float | None:
    """Return how long the other side asks to wait: seconds, milliseconds or a date, in headers or members."""
    for given in (
        _get(error, "retry_after_s"),
        _get(error, "retry_after"),
        _item(_get(error, "members"), "retry_after_s"),
    ):
        if (seconds := read_seconds(given)) is not None:
            return seconds
    headers = _get(_get(error, "response"), "headers") or _get(error, "headers")
    if (milliseconds := read_seconds(_item(headers, "retry-after-ms"))) is not None:
        return milliseconds / 1000
    return parse_retry_after_s(_item(headers, "retry-after") or _item(headers, "Retry-After"), now_us)


def parse_retry_after_s(header: object, now_us: int | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks to wait, None where it says nothing of use.

    `now_us` (default: the system's clock) is what one with a date is measured from.
    """
    if (seconds := read_seconds(header)) is not None or not isinstance(header, str):
        return seconds
    import email.utils  # noqa: PLC0415  # 10 ms that only a Retry-After with a date pays

    try:
        moment = email.utils.parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError):
        return None
    now_s = (time.time_ns() // 1000 if now_us is None else now_us) / 1e6
    return min(max(moment - now_s, 0.0), RETRY_AFTER_S_MAX)


def _get(holder: object, name: str) -> object:
    try:
        return getattr(holder, name, None)
    except Exception:  # a boundary: properties of a user's exception may raise anything
        return None


def _item(holder: object, name: str) -> object:
    try:
        return cast("Mapping[str, object]", holder).get(name)
    except Exception:  # a boundary: as above; not everything called headers is a mapping
        return None


def _with_plain_names(names: Sequence[str]) -> frozenset[str]:
    return frozenset(name for each in names if each for name in (each, each.rpartition(".")[2]))


def qualified_name(class_: type) -> str:
    """Return "module.Class", builtins without their module."""
    module = class_.__module__
    return class_.__qualname__ if module == "builtins" else f"{module}.{class_.__qualname__}"
