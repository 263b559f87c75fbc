"""Fingerprints: which failures are the same failure (execution.md, Failures).

Two errors are the same if they have the same type, in the same step, with the same message once what
differs from run to run is taken out, raised through the same functions of the user's own code. Line numbers
and library frames do not count, so that an edit above or an upgrade below does not open a new group. Which
groups exist is the server's matter; what an error consists of is errorinfo.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from omium.errorinfo import ErrorInfo, Frame, describe_exception

__all__ = ["ErrorInfo", "describe_exception", "fingerprint", "normalise_message"]

MESSAGE_CHARACTERS_MAX = 2048
OWN_FRAMES_MAX = 3

_VARIABLE = re.compile(
    r"""
      (?<=://) (?P<host> [^\s/:"'<>]{1,200}+ ) (?: [:/?] [^\s"'<>]*+ )?
    | (?P<time> \d{4}-\d\d-\d\d (?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9}+)?)?(?:Z|[+-]\d\d:?\d\d)?)? )
    | (?P<id>   (?<![0-9A-Za-z]) (?: [0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}
                                   | [a-z]{2,3}_[0-9a-hjkmnp-tv-z]{26} ) (?![0-9A-Za-z]) )
    | (?P<text> (?<!\w)(?: "[^"\n]{0,300}+" | '[^'\n]{0,300}+' | `[^`\n]{0,300}+` )(?!\w) )
    | (?P<path> (?<![\w/:]) (?: ~?/ | [A-Za-z]:[\\/] | \.{1,2}/ ) [\w.@+~-]++ (?:[\\/][\w.@+~-]*+)* )
    | (?P<hex>  (?<![0-9A-Za-z]) (?: 0[xX][0-9a-fA-F]++ | (?=[a-fA-F]{0,40}[0-9])[0-9a-fA-F]{8,}+ )
                (?![0-9A-Za-z]) )
    | (?P<n>    (?<![A-Za-z_0-9]) \d++(?:[.,:]\d++)*(?:[eE][+-]?\d++)? )
    """,
    re.VERBOSE,
)
_SPACE = re.compile(r"\s+")


def fingerprint(step: str, error: Mapping[str, object] | ErrorInfo) -> str:
    """Return 64 hexadecimal digits that are the same for the same failure of `step` (its name, not its key).

    `error` may be JSON from anywhere; it is read within bounds.
    """
    info = error if isinstance(error, ErrorInfo) else ErrorInfo.from_json(error)
    own = [frame for frame in info.frames if frame.own][-OWN_FRAMES_MAX:]
    parts = [step, info.qualified_type or info.type, info.code, normalise_message(info.message)]
    parts += [_name(frame) for frame in own]
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "replace")).hexdigest()


def normalise_message(message: str) -> str:
    """Return the first 2 KiB of `message` with numbers, ids, times, quotations and paths as placeholders."""
    replaced = _VARIABLE.sub(_placeholder, message[:MESSAGE_CHARACTERS_MAX])
    return _SPACE.sub(" ", replaced).strip()


def _placeholder(match: re.Match[str]) -> str:
    host = match["host"]  # says which provider failed, where a port or path only says which call
    return f"<{match.lastgroup}>" if host is None else host + ("" if match.group() == host else "<path>")


def _name(frame: Frame) -> str:
    return f"{frame.module}:{frame.function}"
