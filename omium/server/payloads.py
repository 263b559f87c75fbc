"""Payloads: large and sealed values, kept once per tenant under an address that only the server can compute.

Owns their bytes: address, compression, sealing, and back within a bound. Rows and reference counts are
store/payloads.py; which values go here is decided by the engine. Compressing and sealing take time, so call
these outside of transactions.
"""

from __future__ import annotations

import hmac
import zlib
from dataclasses import dataclass

from omium.errors import DatabaseCorrupt
from omium.jsonvalue.limits import INLINE_BYTES, MAX_VALUE_BYTES
from omium.server.seal import KeyFile, Purpose

PLAIN, COMPRESSED, SEALED, COMPRESSED_SEALED = "raw", "zlib", "sealed", "zlib+sealed"
_LEVEL = 1  # text shrinks almost as much as at 6, at a third of the time


@dataclass(frozen=True, slots=True)
class PackedPayload:
    """A payload as its row holds it."""

    address: str
    """HMAC of tenant and content under a key of the server: no other tenant can guess or probe it."""
    encoding: str
    body: bytes
    size_bytes: int
    """Of the content."""


def pack(keys: KeyFile, tenant_id: str, data: bytes, *, seal: bool) -> PackedPayload:
    """Return `data` ready to be stored; the same content of a tenant always has the same address.

    Sealed and unsealed copies of one content have different addresses, so a value in which a secret was
    detected never ends up pointing at a clear copy.
    """
    address = _make_address(keys, tenant_id, data, sealed=seal)
    compress = len(data) > INLINE_BYTES
    body = zlib.compress(data, _LEVEL) if compress else data
    if len(body) >= len(data):
        compress, body = False, data
    if not seal:
        return PackedPayload(address, COMPRESSED if compress else PLAIN, body, len(data))
    body = keys.seal(body, _make_aad(tenant_id, address))
    return PackedPayload(address, COMPRESSED_SEALED if compress else SEALED, body, len(data))


def unpack(keys: KeyFile, tenant_id: str, address: str, encoding: str, body: bytes) -> bytes:
    """Return the content of a payload.

    Raises `SealBroken` or `DatabaseCorrupt` if it is not what was stored at `address` for this tenant.
    """
    sealed = encoding in {SEALED, COMPRESSED_SEALED}
    if sealed:
        body = keys.unseal(body, _make_aad(tenant_id, address))
    data = _decompress(body) if encoding in {COMPRESSED, COMPRESSED_SEALED} else body
    if encoding not in {PLAIN, COMPRESSED, SEALED, COMPRESSED_SEALED} or not hmac.compare_digest(
        _make_address(keys, tenant_id, data, sealed=sealed), address
    ):
        raise DatabaseCorrupt("A payload is not what was stored; restore the database from a backup.")
    return data


def _make_address(keys: KeyFile, tenant_id: str, data: bytes, *, sealed: bool) -> str:
    return keys.hmac(Purpose.PAYLOAD_ADDRESS, tenant_id, "sealed" if sealed else "clear", data).hex()


def _make_aad(tenant_id: str, address: str) -> bytes:
    return f"payloads\x00{tenant_id}\x00{address}".encode()


def _decompress(body: bytes) -> bytes:
    """Inflate within the bound of a value: a row that somebody made must not fill the memory."""
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(body, MAX_VALUE_BYTES)
    except zlib.error as error:
        raise DatabaseCorrupt("A payload cannot be read; restore the database from a backup.") from error
    if not inflater.eof or inflater.unused_data:
        raise DatabaseCorrupt(
            "A payload is longer than any that is stored; restore the database from a backup."
        )
    return data
