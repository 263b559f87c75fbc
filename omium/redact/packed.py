"""Packed values: bytes, which travel as base64, read as the text that they may be.

Owns which tags hold base64, and a cheap look at what is in it: most bytes are pictures and archives, and are
told from text by their first kilobyte.
"""

from __future__ import annotations

import base64
import binascii
import codecs
from typing import Final

PACKED_TAGS: Final = frozenset({"$:bytes", "$:bytearray", "$:str"})
HEAD_CHARACTERS: Final = 1024  # of base64: four characters for three bytes

_START = codecs.getincrementaldecoder("utf-8")


def read_packed(packed: str) -> str | None:
    """Return the text that `packed` (base64) holds; None if it is not UTF-8, or not base64."""
    try:
        _START("surrogatepass").decode(base64.b64decode(packed[:HEAD_CHARACTERS]))
        return base64.b64decode(packed).decode("utf-8", "surrogatepass")
    except (UnicodeDecodeError, binascii.Error, ValueError):
        return None
