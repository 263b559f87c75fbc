"""Frames: what of this package a person sees in the traceback of an exception of their own code.

Owns leaving out the SDK's frames where an exception goes from it back to the user's code. The exception stays
the same object, with its causes and notes; what is recorded of it (errorinfo) was read before. Nothing is
left out where the SDK itself broke, nor with the variable OMIUM_DEBUG set.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Final

from omium.errors import OmiumError, Suspension

CAUSES_MAX: Final = 100
_PACKAGE: Final = Path(__file__).parents[1]
_ADAPTERS: Final = f"{_PACKAGE / 'adapters'}{os.sep}"
_OURS: Final = (f"{_PACKAGE / 'sdk'}{os.sep}", _ADAPTERS)
_EVENT_LOOP: Final = f"{os.sep}asyncio{os.sep}"
_CALLING_USER_CODE: Final = frozenset({"run_here", "await_within", "resume", "stream_async"})
"""The functions that call the user's: what is raised behind them is the user's own."""
_CALLING_FRAMEWORK: Final = frozenset({"node", "run", "arun", "invoke", "ainvoke"})
"""The functions of adapters that call the framework, and the user's code in it."""
_CHECKING_ARGUMENTS: Final = frozenset({"bind"})


def shorten(error: BaseException) -> None:
    """Leave the SDK's frames out of `error` and of what it follows from; raise it on with a bare `raise`."""
    if os.environ.get("OMIUM_DEBUG"):
        return
    seen: set[int] = set()
    left: list[tuple[BaseException | None, bool]] = [(error, False)]
    while left and len(seen) < CAUSES_MAX:
        each, is_told = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        is_told = is_told or isinstance(each, OmiumError | Suspension)
        BaseException.with_traceback(each, _without_ours(each, is_told=is_told))
        left += [(each.__cause__, is_told), (each.__context__, is_told)]
        if isinstance(each, BaseExceptionGroup):
            left += [(member, False) for member in each.exceptions]


class _Leaving:
    """A `with` block behind which the user's code goes on."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            shorten(error)


LEAVING: Final = _Leaving()


def _without_ours(error: BaseException, *, is_told: bool) -> TracebackType | None:
    """Return the traceback without our frames; `is_told` where the SDK says in a sentence what happened."""
    whole = error.__traceback__
    frames: list[TracebackType] = []
    trace = whole
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    last = next((at for at in reversed(range(len(frames))) if _is_ours(frames[at])), None)
    if last is None:
        return whole
    code = frames[last].tb_frame.f_code
    within = code.co_name
    if within in _CALLING_USER_CODE or (
        within in _CALLING_FRAMEWORK and code.co_filename.startswith(_ADAPTERS)
    ):
        behind = frames[last + 1 :]
    elif is_told or within in _CHECKING_ARGUMENTS:
        behind = []  # raised by the SDK to say something, or why: its sentence tells more than its frames
    else:
        return whole
    rebuilt: TracebackType | None = None
    for each in reversed(_kept(frames[:last]) + behind):
        rebuilt = TracebackType(rebuilt, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return rebuilt


def _kept(frames: list[TracebackType]) -> list[TracebackType]:
    """Return what is not ours, nor of an event loop that was run by us."""
    kept = []
    ours = False
    for each in frames:
        ours = _is_ours(each) or (ours and _EVENT_LOOP in each.tb_frame.f_code.co_filename)
        if not ours:
            kept.append(each)
    return kept


def _is_ours(trace: TracebackType) -> bool:
    return trace.tb_frame.f_code.co_filename.startswith(_OURS)
