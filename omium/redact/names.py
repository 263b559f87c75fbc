"""Names that speak of a secret: `api_key`, `Authorization`, `dbPassword`; not `max_tokens` or `primary_key`.

Owns the closed lists. A *strong* name makes any real value below it a secret; a *weak* one (`token`, which
is also what a language model's output is made of) only a value that looks random.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

NAME_CHARACTERS_MAX = 100

# What every secret name ends in; used to look for them in text and, in lower case, to rule a text out.
ENDINGS = (
    "key", "token", "secret", "password", "passwd", "passphrase", "pwd",
    "authorization", "cookie", "credential",
)  # fmt: skip

_STRONG = re.compile(
    r"""(?:^|_)(?:
        (?:api|access|secret|secret_access|private|encryption|signing|subscription|account|auth|service|master)_?keys?
      | passw(?:or)?ds? | passphrases? | pwd | secrets? | authorization | cookies? | credentials?
      | (?:access|refresh|id|auth|session|bearer|api|csrf|xsrf|security|bot|webhook|oauth|personal|jwt)
        _?tokens?
    )$""",
    re.VERBOSE,
)
_WEAK = re.compile(r"(?:^|_)(?:token|auth|jwt|session_?id|bearer)$")
_HARMLESS = re.compile(
    r"(?:^|_)(?:page|next|prev|sync|continuation|cursor|pad|eos|bos|unk|stop|mask|sep|cls)_?token$"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATOR = re.compile(r"[^A-Za-z0-9]+")


class Strength(Enum):
    """How much a name says about the value below it."""

    NONE = 0
    WEAK = 1
    STRONG = 2


@lru_cache(maxsize=4096)
def judge_name(name: str) -> Strength:
    """Say whether a value called `name` (any case style) is a secret."""
    if len(name) > NAME_CHARACTERS_MAX:
        return Strength.NONE
    snake = _SEPARATOR.sub("_", _HUMP.sub("_", name)).lower().strip("_")
    if _STRONG.search(snake):
        return Strength.STRONG
    return Strength.WEAK if _WEAK.search(snake) and not _HARMLESS.search(snake) else Strength.NONE
