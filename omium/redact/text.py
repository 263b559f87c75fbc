r"""Secrets inside a text: keys with a known prefix, tokens, private keys, passwords in URLs and assignments.

Owns the patterns. Every one takes time in proportion to the text: runs are possessive or bounded, and a run
that is long enough is consumed whether or not it turns out to be a secret, so none is looked at twice. Most
texts are ruled out by the passes of screen.py before any pattern is tried.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from omium.redact.names import ENDINGS, NAME_CHARACTERS_MAX, Strength, judge_name
from omium.redact.screen import may_hold_secret


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Where a secret stands in a text, and what sort it is."""

    start: int
    end: int
    kind: str


_WEAK_CHARACTERS_MIN = 16

_PREFIXED = re.compile(
    r"""(?<![A-Za-z0-9])(?:
        (?P<omium>om_[a-z]{1,16}_[0-9a-hjkmnp-tv-z]{26}_[0-9A-Za-z]{36})
      | (?P<aws>(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9]))
      | (?P<llm>sk-[A-Za-z0-9_-]{20,}+)
      | (?P<prefixed>
            (?: om[sit]_
              | gh[pousr]_ | github_pat_ | glpat- | hf_ | gsk_ | r8_ | npm_ | pypi- | dop_v1_ | xai- | pplx-
              | tvly- | lsv2_ | shpat_ | figd_ | dckr_pat_ | GOCSPX- | ya29\. | [sr]k_(?:live|test)_ | whsec_
              | xox[abeoprs]- | xapp- | AIza | SG\. )
            [A-Za-z0-9_.-]{16,}+)
    )""",
    re.VERBOSE,
)
_JWT = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+\.eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+")
_HEADER = re.compile(r"\b([Bb]earer|BEARER|[Bb]asic|BASIC)[ \t]{1,8}([A-Za-z0-9._~+/-]{16,}+={0,2})")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PRIVATE_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_URL = re.compile(
    r"""://(?: [^\s/:@"'<>\\]{0,256}+ : (?P<password>[^\s/@"'<>\\]{1,256}+)
             | (?P<user>[A-Za-z0-9_.-]{20,256}+) )@""",
    re.VERBOSE,
)
_ASSIGNED = re.compile(
    rf"(?P<name>{'|'.join(ENDINGS)})s?"
    r"""(?:\\{0,3}["'])?[ \t]{0,3}[:=][ \t]{0,3}
        (?: \\{0,3}["'] (?P<quoted>[^"'\\\n]{1,512}+) \\{0,3}["']
          | (?P<bare>[^\s"'&;,<>(){}\[\]\\]{8,512}+) )""",
    re.IGNORECASE | re.VERBOSE,
)
_NAME_TAIL = re.compile(r"[A-Za-z0-9_.-]*\Z")

_PLACEHOLDER = re.compile(
    r"""^[*xX.•_-]+$ | ^[$<{\[%] | ^env:
      | ^(?:none|null|nil|undefined|true|false|string|str|text|required|optional|hidden|unknown|empty|unset
           |password|passwd|pass|pwd|secret|token|key|user|bearer|basic)$
      | your[-_ ]? | example | placeholder | change_?me | dummy | redacted | sealed | \.\.\.""",
    re.IGNORECASE | re.VERBOSE,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TOKEN_CHARACTERS = re.compile(r"[A-Za-z0-9+/_=.~:-]+")


def find_secrets(text: str) -> list[Span]:
    """Return where secrets stand in `text`, in order and not overlapping."""
    if len(text) < 5 or not may_hold_secret(text.encode("utf-8", "replace")):
        return []
    found: list[Span] = []
    for span in sorted(_find_all(text), key=lambda each: (each.start, -each.end)):
        if not found or span.start >= found[-1].end:
            found.append(span)
        elif span.end > found[-1].end:
            found[-1] = Span(found[-1].start, span.end, found[-1].kind)
    return found


def is_secret_value(value: str, strength: Strength) -> bool:
    """Say whether `value` under a name of `strength` is a secret, rather than prose or a placeholder."""
    if strength is Strength.NONE or not value.strip() or _PLACEHOLDER.search(value):
        return False
    if strength is Strength.WEAK:
        return len(value) >= _WEAK_CHARACTERS_MIN and _looks_random(value)
    is_prose = value.count(" ") >= 3 and not any(character.isdigit() for character in value)
    return not is_prose


def _find_all(text: str) -> Iterator[Span]:
    for match in _PREFIXED.finditer(text):
        kind = match.lastgroup or "prefixed"
        if kind in {"omium", "aws"} or _looks_random(match.group()):
            yield Span(match.start(), _without_full_stop(match, 0), kind)
    for match in _JWT.finditer(text):
        yield Span(match.start(), match.end(), "jwt")
    for match in _HEADER.finditer(text):
        if _is_credential(match[1], match[2]):
            yield Span(match.start(2), match.end(2), "header")
    if "PRIVATE KEY" in text:
        yield from _find_private_keys(text)
    if "://" in text and "@" in text:
        for match in _URL.finditer(text):
            kind = "password" if match["password"] is not None else "user"
            if not _PLACEHOLDER.search(match[kind]) and (kind == "password" or _looks_random(match[kind])):
                yield Span(match.start(kind), match.end(kind), "url")
    yield from _find_assigned(text)


def _find_private_keys(text: str) -> Iterator[Span]:
    at = 0
    while (begin := _PRIVATE_KEY.search(text, at)) is not None:
        end = _PRIVATE_KEY_END.search(text, begin.end())
        at = end.end() if end else len(text)  # cut off: all that follows may belong to the key
        yield Span(begin.start(), at, "private-key")


def _find_assigned(text: str) -> Iterator[Span]:
    """Find `password=…`, `"api_key": "…"` and the like, in code, settings and JSON inside of texts."""
    for match in _ASSIGNED.finditer(text):
        start = match.start("name")
        before = _NAME_TAIL.search(text[max(0, start - NAME_CHARACTERS_MAX // 2) : start])
        strength = judge_name((before[0] if before else "") + match["name"])
        if strength is Strength.NONE:
            continue
        kind = "quoted" if match["quoted"] is not None else "bare"
        value = match[kind]
        if is_secret_value(value, strength) and (kind == "quoted" or _looks_random(value)):
            end = match.end(kind) if kind == "quoted" else _without_full_stop(match, kind)
            yield Span(match.start(kind), end, "assigned")


def _without_full_stop(match: re.Match[str], group: str | int) -> int:
    """Return where the group ends, less the full stop of the sentence that it ends."""
    return match.end(group) - (match[group].endswith("."))


def _looks_random(value: str) -> bool:
    """Say whether `value` is letters and digits without the pattern of words, dates or numbers."""
    if len(value) < 6 or _TOKEN_CHARACTERS.fullmatch(value) is None or _DATE.match(value):
        return False
    digits = sum(character.isdigit() for character in value)
    letters = sum(character.isalpha() for character in value)
    return digits >= 1 and letters >= 2 and len(set(value)) >= 6


def _is_credential(scheme: str, value: str) -> bool:
    if scheme.lower() == "bearer":
        return _looks_random(value)
    try:
        return b":" in base64.b64decode(value, validate=True)
    except binascii.Error:
        return False
