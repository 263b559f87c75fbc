"""Bodies: what a request carries, inflated within bounds.

A small body can inflate to gigabytes: nothing beyond `INFLATED_BYTES_MAX`, or beyond `RATIO_MAX` times what
was sent, is ever in memory.
"""

from __future__ import annotations

import zlib
from typing import Final

from omium.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType

INFLATED_BYTES_MAX: Final = 16 * 2**20
RATIO_MAX: Final = 50
SMALL_BYTES: Final = 2 * 2**20
"""Whatever its ratio, a body may inflate to so much: calls that repeat one conversation shrink well."""
_WINDOW_BITS: Final = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def inflate(body: bytes, encoding: str) -> bytes:
    """Return `body` as it was before `encoding` (Content-Encoding); raises the problem to answer with.

    Raises `UnsupportedMediaType` for an encoding that is not known, `InvalidRequest` for a body that is not
    in it, `PayloadTooLarge` beyond the bounds.
    """
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in _WINDOW_BITS:
        raise UnsupportedMediaType(
            f"Content-Encoding {encoding[:40]!r} is not read here; send gzip, or none."
        )
    limit = min(INFLATED_BYTES_MAX, max(len(body) * RATIO_MAX, SMALL_BYTES))
    decoder = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        inflated = decoder.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidRequest(f"The body is not {encoding}: {error}.") from None
    if len(inflated) > limit:
        raise PayloadTooLarge(
            f"The body inflates to more than {limit:,} bytes; send fewer spans at a time.", limit_bytes=limit
        )
    if not decoder.eof:
        raise InvalidRequest(f"The {encoding} body ends before its end.")
    if decoder.unused_data:  # a 200 would say that it was stored
        raise InvalidRequest(f"Something follows the end of the {encoding} body; send it as one member.")
    return inflated
