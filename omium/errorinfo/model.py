"""What is recorded of an exception: bounded, frozen, and the same thing as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MESSAGE_CHARACTERS_MAX = 4_000
NAME_CHARACTERS_MAX = 200
TRACEBACK_CHARACTERS_MAX = 8_000
NOTE_CHARACTERS_MAX = 1_000
FRAMES_MAX = 40
CAUSES_MAX = 5
NOTES_MAX = 5
GROUP_MAX = 5
DEPTH_MAX: Final = 3
"""How far groups and causes are followed into each other."""
BASES_MAX = 12
RETRY_AFTER_S_MAX = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a traceback. `own` tells the user's code from libraries and from Omium."""

    module: str
    function: str
    file: str
    line: int
    own: bool

    def to_json(self) -> dict[str, object]:
        """Return the JSON object, which `from_json` reads back."""
        return {
            "module": self.module,
            "function": self.function,
            "file": self.file,
            "line": self.line,
            "own": self.own,
        }

    @staticmethod
    def from_json(form: Mapping[str, object]) -> Frame:
        """Return the frame that `form` describes, wherever it comes from."""
        line = form.get("line")
        return Frame(
            module=_text(form.get("module")),
            function=_text(form.get("function")),
            file=_text(form.get("file"), MESSAGE_CHARACTERS_MAX),
            line=line if type(line) is int else 0,
            own=form.get("own") is True,
        )


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An exception as it is recorded; every part is bounded. Empty parts are left out of the JSON."""

    type: str
    message: str
    qualified_type: str = ""
    bases: tuple[str, ...] = ()
    """Qualified names of the classes that it derives from, nearest first."""
    code: str = ""
    status: int | None = None
    """The HTTP status, where the exception carries one."""
    retry_after_s: float | None = None
    frames: tuple[Frame, ...] = ()
    notes: tuple[str, ...] = ()
    causes: tuple[ErrorInfo, ...] = ()
    """What it was raised from or during, nearest first; they have no causes of their own."""
    exceptions: tuple[ErrorInfo, ...] = ()
    """The first members of an exception group."""
    traceback: str = field(default="", repr=False)

    def to_json(self) -> dict[str, object]:
        """Return the JSON object, which `from_json` reads back."""
        parts: dict[str, object] = {
            "qualified_type": self.qualified_type,
            "bases": list(self.bases),
            "code": self.code,
            "status": self.status,
            "retry_after_s": self.retry_after_s,
            "frames": [frame.to_json() for frame in self.frames],
            "notes": list(self.notes),
            "causes": [cause.to_json() for cause in self.causes],
            "exceptions": [each.to_json() for each in self.exceptions],
            "traceback": self.traceback,
        }
        given = {name: part for name, part in parts.items() if part not in ("", None, [])}
        return {"type": self.type, "message": self.message, **given}

    @staticmethod
    def from_json(form: Mapping[str, object]) -> ErrorInfo:
        """Return the error that `form` describes. What does not fit is left out."""
        return _from_json(form, DEPTH_MAX)


def clip(text: str, characters_max: int) -> str:
    """Return the beginning of `text` as something that JSON takes."""
    kept = text[:characters_max].replace("\x00", "\ufffd")
    return kept if kept.isascii() else kept.encode("utf-8", "replace").decode()


def _text(value: object, characters_max: int = NAME_CHARACTERS_MAX) -> str:
    return clip(value, characters_max) if isinstance(value, str) else ""


def list_of(value: object) -> list[object]:
    """Return the members of a list or tuple; nothing for anything else."""
    return list(value) if isinstance(value, list | tuple) else []


def read_seconds(given: object) -> float | None:
    """Return `given` as seconds within sensible bounds, None if it is no such number."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        seconds = float(given)
    except (ValueError, OverflowError):
        return None
    return min(seconds, RETRY_AFTER_S_MAX) if math.isfinite(seconds) and seconds >= 0 else None


def _from_json(form: Mapping[str, object], depth: int) -> ErrorInfo:
    def nested(name: str, count: int) -> tuple[ErrorInfo, ...]:
        given = list_of(form.get(name)) if depth > 0 else []
        return tuple(_from_json(each, depth - 1) for each in given[:count] if isinstance(each, Mapping))

    status, frames = form.get("status"), list_of(form.get("frames"))
    return ErrorInfo(
        type=_text(form.get("type")) or "Error",
        message=_text(form.get("message"), MESSAGE_CHARACTERS_MAX),
        qualified_type=_text(form.get("qualified_type")),
        bases=tuple(filter(None, (_text(each) for each in list_of(form.get("bases"))[:BASES_MAX]))),
        code=_text(form.get("code")),
        status=status if type(status) is int and 100 <= status <= 599 else None,
        retry_after_s=read_seconds(form.get("retry_after_s")),
        frames=tuple(Frame.from_json(each) for each in frames[:FRAMES_MAX] if isinstance(each, Mapping)),
        notes=tuple(_text(each, NOTE_CHARACTERS_MAX) for each in list_of(form.get("notes"))[:NOTES_MAX]),
        causes=nested("causes", CAUSES_MAX),
        exceptions=nested("exceptions", GROUP_MAX),
        traceback=_text(form.get("traceback"), TRACEBACK_CHARACTERS_MAX + 2),
    )
