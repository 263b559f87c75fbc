"""Stdout for a command's own output alone: what the user's code prints goes to stderr, now and later.

Owns the descriptor that the command was started with, kept aside while number 1 leads to stderr. A process
of its own (`main`) never turns that back: what the user's module prints when it ends (`atexit`), from its
threads or its children is no part of a document either. Whoever runs a command inside a larger program
(`run`) gets everything back as it was.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True, slots=True)
class _Taken:
    """The former stdout."""

    descriptor: int
    stream: TextIO
    """Where the command writes."""
    replaced: TextIO | None
    """What stood for stdout, where that was another stream than the process's own."""


_taken: list[_Taken] = []


def stdout() -> TextIO:
    """Return the stream that a command's output goes to."""
    return _taken[0].stream if _taken else sys.stdout


def stdout_descriptor() -> int:
    """Return the descriptor that a command's output goes to."""
    return _taken[0].descriptor if _taken else sys.stdout.fileno()


def take_stdout() -> None:
    """From here on let only the command's own output reach stdout; a second time changes nothing."""
    if _taken:
        return
    former = sys.stdout
    former.flush()
    descriptor = os.dup(1)  # children do not inherit it
    os.dup2(2, 1)
    if _is_own(former):
        stream = os.fdopen(descriptor, "w", encoding=former.encoding, errors=former.errors, closefd=False)
        _taken.append(_Taken(descriptor, stream, None))
    else:  # a test runner's, for one
        _taken.append(_Taken(descriptor, former, former))
        sys.stdout = sys.stderr


def let_go() -> None:
    """Be done with the output of this process: whoever reads it sees its end, and nothing follows."""
    for taken in _taken:
        with contextlib.suppress(OSError):  # nobody reads it any more, which was said where it was written
            taken.stream.flush()
        if taken.replaced is None:
            with contextlib.suppress(OSError):
                taken.stream.close()
        os.close(taken.descriptor)
    _taken.clear()


def give_back() -> None:
    """Let everything be as it was before `take_stdout`."""
    for taken in _taken:
        if taken.replaced is None:
            sys.stdout.flush()  # what was printed meanwhile belongs to stderr
        else:
            sys.stdout = taken.replaced
        os.dup2(taken.descriptor, 1)
    let_go()


def _is_own(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 1
    except (OSError, ValueError):  # it has none, or is closed
        return False
