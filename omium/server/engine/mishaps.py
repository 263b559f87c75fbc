"""Mishaps: errors as they are recorded, redacted and bounded, those of drivers and the engine's own.

An error is a JSON object with `type`, `message`, perhaps `code`, `traceback` and more (an ErrorInfo). Packing
happens before the transaction. Owns the words of what the engine itself reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from omium.jsonvalue import JsonValue, json_bytes
from omium.server.engine.values import Vault

ERROR_BYTES_MAX = 32 * 1024
MESSAGE_CHARS_MAX = 4_000


@dataclass(frozen=True, slots=True)
class PackedError:
    """An error ready to be stored: `info` is what the inbox groups by, `body` the same as JSON."""

    info: Mapping[str, object]
    body: bytes


def pack_error(vault: Vault, error: object) -> PackedError:
    """Return a driver's error without credentials, and within `ERROR_BYTES_MAX`."""
    redacted = vault.redact(error)  # type: ignore[arg-type]  # from the wire: JSON
    info: dict[str, JsonValue] = (
        redacted if isinstance(redacted, dict) else {"type": "Error", "message": str(redacted)}
    )
    body = json_bytes(info)
    if len(body) > ERROR_BYTES_MAX:
        info = _clip(info)
        body = json_bytes(info)
    return PackedError(info, body)


def make_error(type_: str, message: str, *, code: str, **facts: JsonValue) -> PackedError:
    """Return an error of the engine's own, such as a lost driver."""
    info: dict[str, JsonValue] = {"type": type_, "message": message, "code": code, **facts}
    return PackedError(info, json_bytes(info))


def _clip(info: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Keep what identifies the error, and say that the rest is not there."""
    clipped: dict[str, JsonValue] = {
        "type": str(info.get("type") or "Error")[:200],
        "message": str(info.get("message") or "")[:MESSAGE_CHARS_MAX],
        "clipped": True,
    }
    if "code" in info:
        clipped["code"] = str(info["code"])[:200]
    traceback = info.get("traceback")
    if isinstance(traceback, str):
        clipped["traceback"] = traceback[-MESSAGE_CHARS_MAX:]  # the end says where it was raised
    return clipped
