"""Ruling whole documents out, fast: most recorded values hold nothing that even resembles a secret.

Owns the passes over JSON bytes that stand before the exact walk. They may say yes too often, never no where
the walk would find something (a property test compares them): patterns are those of text.py without their
conditions on what stands before and after, and with room for JSON's escapes.
"""

from __future__ import annotations

import re
from typing import Final

from omium.redact.names import ENDINGS, NAME_CHARACTERS_MAX, Strength, judge_name
from omium.redact.packed import PACKED_TAGS

_MIN_RUN: Final = 16  # no token, key or signature is shorter
_RUN_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+/=.~"
_TO_RUNS = bytes(120 if code in _RUN_CHARACTERS else 32 for code in range(256))  # "x" or " "
_RUN = b"x" * _MIN_RUN
_ENDINGS = tuple(ending.encode() for ending in ENDINGS)
_ESCAPES = ((b"\\n", b"\n"), (b"\\t", b"\t"), (b"\\r", b"\n"), (b"\\b", b"\n"), (b"\\f", b"\n"))
_CODE_ESCAPE = re.compile(rb"\\u00[01][0-9a-f]")

_TAILS: Final[dict[str, str]] = {  # what follows: how it begins
    "[A-Za-z0-9_.-]{13}": """
        oms_ omi_ omt_
        ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- hf_ gsk_ r8_ npm_ pypi- dop_v1_ xai- pplx- tvly-
        lsv2_ shpat_ figd_ dckr_pat_ GOCSPX- ya29. sk_live_ sk_test_ rk_live_ rk_test_ whsec_ sk- xapp-
        xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- AIza SG.""",
    "[A-Z0-9]{16}": "AKIA ASIA",
    "[A-Za-z0-9_-]{8}": "eyJ",
    "[a-z]{1,16}_[0-9a-z]{26}_": "om_",
}
_TOKENS = tuple(
    (beginning.encode(), re.compile(re.escape(beginning.encode()) + tail.encode()))
    for tail, beginnings in _TAILS.items()
    for beginning in beginnings.split()
)
_WORDS = re.compile(rb"[A-Za-z0-9_.-]{16,}+")
_SCHEMES = (b"earer", b"EARER", b"asic", b"ASIC")
_HEADER = re.compile(rb"(?:earer|EARER|asic|ASIC)[ \t]{1,8}[A-Za-z0-9._~+/-]{16}")
_URL = re.compile(rb"""://(?:[^\s/:@"'<>\\]{0,1024}+:[^\s/@"'<>\\]{1,1024}+|[A-Za-z0-9_.-]{20,256}+)@""")
_NAMED = re.compile(rb"(?:%s)s?[^a-z0-9]{0,%d}?[:=]" % (b"|".join(_ENDINGS), NAME_CHARACTERS_MAX))
_PAIRED = re.compile(rb"(?:%s)s?[^a-z0-9]{0,%d}?[:=,]" % (b"|".join(_ENDINGS), NAME_CHARACTERS_MAX))
_PACKED = tuple(b'"%b"' % tag.encode() for tag in PACKED_TAGS)
_NO_SECRET_VALUE = frozenset(b"-0123456789tfn{")  # a number, a constant, an object: judged by its own names


def may_hold_secret(data: bytes) -> bool:
    """Say whether `data`, a text or the compact JSON of a value (UTF-8), may hold a secret."""
    if b'"$:' in data and any(tag in data for tag in _PACKED):
        return True  # in base64 nothing can be ruled out
    if b"\\" in data:
        for escape, meant in _ESCAPES:
            data = data.replace(escape, meant)
        data = _CODE_ESCAPE.sub(b"\n", data)
    if b"PRIVATE KEY" in data or (_RUN in data.translate(_TO_RUNS) and _may_hold_token(data)):
        return True
    if b"://" in data and b"@" in data and _URL.search(data) is not None:
        return True
    lowered = data.lower()
    return any(ending in lowered for ending in _ENDINGS) and _may_be_named(data, lowered)


def _may_hold_token(data: bytes) -> bool:
    """Look for beginnings of tokens only in what is long enough for one: little, in most texts."""
    words = b" ".join(_WORDS.findall(data))
    if any(beginning in words and pattern.search(words) for beginning, pattern in _TOKENS):
        return True
    return any(scheme in data for scheme in _SCHEMES) and _HEADER.search(data) is not None


def _may_be_named(data: bytes, lowered: bytes) -> bool:
    """Say whether a value may stand under the name of a secret, as a member of an object or in a text."""
    named = _PAIRED if b'"$:' in data else _NAMED  # dicts that travel as pairs have commas
    for match in named.finditer(lowered):
        end = match.end()
        is_member = lowered[end - 2 : end] == b'":' and lowered[end - 3 : end - 2] != b"\\"
        if not is_member:
            return True
        if lowered[end : end + 1] and lowered[end] in _NO_SECRET_VALUE:
            continue
        start = data.rfind(b'"', max(0, end - 2 - 2 * NAME_CHARACTERS_MAX), end - 2)
        if start < 0 or data[start - 1 : start] == b"\\":
            return True  # an odd name: the walk looks closer
        if judge_name(data[start + 1 : end - 2].decode("utf-8", "replace")) is not Strength.NONE:
            return True
    return False
