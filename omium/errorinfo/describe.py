"""From an exception to what is recorded of it. Never raises, whatever the exception's own methods do."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Sequence
from pathlib import PurePath
from types import TracebackType
from typing import Final

from omium.errorinfo.facts import qualified_name, read_code, read_retry_after_s, read_status
from omium.errorinfo.model import (
    BASES_MAX,
    CAUSES_MAX,
    DEPTH_MAX,
    FRAMES_MAX,
    GROUP_MAX,
    MESSAGE_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    NOTE_CHARACTERS_MAX,
    NOTES_MAX,
    TRACEBACK_CHARACTERS_MAX,
    ErrorInfo,
    Frame,
    clip,
    list_of,
)

_LIBRARY_FOLDERS: Final = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")} - {None, ""}
)
_LIBRARY_MARKS: Final = ("/site-packages/", "/dist-packages/", "\\site-packages\\")
_PLAIN_BASES: Final = (object, BaseException, Exception)


def describe_exception(error: BaseException) -> ErrorInfo:
    """Return what is recorded of `error`."""
    return _describe(error, DEPTH_MAX, with_causes=True)


def _describe(error: BaseException, depth: int, *, with_causes: bool) -> ErrorInfo:
    class_ = type(error)
    members: Sequence[BaseException] = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return ErrorInfo(
        type=clip(
            class_.__qualname__ if class_.__module__ == "builtins" else class_.__name__, NAME_CHARACTERS_MAX
        ),
        message=_read_message(error),
        qualified_type=clip(qualified_name(class_), NAME_CHARACTERS_MAX),
        bases=tuple(
            clip(qualified_name(base), NAME_CHARACTERS_MAX)
            for base in class_.__mro__[1 : BASES_MAX + 1]
            if base not in _PLAIN_BASES
        ),
        code=read_code(error),
        status=read_status(error),
        retry_after_s=read_retry_after_s(error),
        frames=_read_frames(error.__traceback__),
        notes=tuple(
            clip(str(note), NOTE_CHARACTERS_MAX)
            for note in list_of(getattr(error, "__notes__", ()))[:NOTES_MAX]
        ),
        causes=_read_causes(error, depth) if with_causes else (),
        exceptions=tuple(_describe(each, depth - 1, with_causes=True) for each in members[:GROUP_MAX])
        if depth > 1
        else (),
        traceback=_format(error) if depth == DEPTH_MAX and with_causes else "",
    )


def _read_message(error: BaseException) -> str:
    try:
        return clip(str(error), MESSAGE_CHARACTERS_MAX)
    except Exception as failure:  # a boundary: a user's __str__ may raise anything
        return f"(its message could not be read: {type(failure).__name__})"


def _read_causes(error: BaseException, depth: int) -> tuple[ErrorInfo, ...]:
    found: list[ErrorInfo] = []
    seen = {id(error)}
    while len(found) < CAUSES_MAX:
        following = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if following is None or id(following) in seen:
            break
        seen.add(id(following))
        found.append(_describe(following, depth - 1, with_causes=False))
        error = following
    return tuple(found)


def _read_frames(trace: TracebackType | None) -> tuple[Frame, ...]:
    """Return the frames, outermost first; in the middle of a deep recursion some are left out."""
    found: list[Frame] = []
    while trace is not None and len(found) < 10_000:
        code = trace.tb_frame.f_code
        module = str(trace.tb_frame.f_globals.get("__name__") or "?")
        if module == "__main__":  # the same script, imported by a worker, has its own name
            module = PurePath(code.co_filename).stem
        found.append(
            Frame(
                module=clip(module, NAME_CHARACTERS_MAX),
                function=clip(code.co_qualname, NAME_CHARACTERS_MAX),
                file=clip(code.co_filename, MESSAGE_CHARACTERS_MAX),
                line=trace.tb_lineno or 0,
                own=_is_own(module, code.co_filename),
            )
        )
        trace = trace.tb_next
    head = FRAMES_MAX // 4
    return tuple(found if len(found) <= FRAMES_MAX else found[:head] + found[head - FRAMES_MAX :])


def _is_own(module: str, file: str) -> bool:
    if module == "omium" or module.startswith("omium.") or file.startswith("<frozen"):
        return False
    return not file.startswith(_LIBRARY_FOLDERS) and not any(mark in file for mark in _LIBRARY_MARKS)


def _format(error: BaseException) -> str:
    """Return the traceback as Python prints it; of a long one the end, which says where it was raised."""
    try:
        text = "".join(
            traceback.TracebackException.from_exception(error, limit=-FRAMES_MAX, compact=True).format()
        )
    except Exception as failure:  # a boundary: formatting calls the exception's own methods
        return f"(the traceback could not be formatted: {type(failure).__name__})"
    if len(text) > TRACEBACK_CHARACTERS_MAX:
        text = "…\n" + text[-TRACEBACK_CHARACTERS_MAX:]
    return clip(text, TRACEBACK_CHARACTERS_MAX + 2)
