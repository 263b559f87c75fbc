"""Values: from JSON to a column and back, large ones compressed and kept once, secret ones sealed.

A value column holds JSON as it is, or the byte 0x01 and the address of a payload. Packing, opening and
sealing happen outside of transactions (`Vault`); inside, only columns and reference counts are moved
(`put_value`, `copy_value`, `drop_value`). Owns when a value is a payload. How one is sealed, compressed and
addressed is omium/server/payloads.py; what counts as a secret is omium/redact.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from omium.errors import CheckpointGone, PayloadTooLarge
from omium.jsonvalue import (
    INLINE_BYTES,
    MAX_VALUE_BYTES,
    JsonValue,
    canonical_of,
    digest,
    json_bytes,
    parse_json,
)
from omium.redact import has_secret, redact
from omium.redact.screen import may_hold_secret
from omium.server import payloads
from omium.server.db.light import light
from omium.server.db.tx import Tx
from omium.server.seal import KeyFile
from omium.server.store import payloads as store
from omium.server.store.payloads import PayloadRow

ADDRESS_MARK: Final = b"\x01"  # no JSON text begins with it
SEALED: Final = "[sealed]"  # what people are shown of a sealed value
_SEALED_ENCODINGS: Final = frozenset({payloads.SEALED, payloads.COMPRESSED_SEALED})


@light(frozen=True, slots=True)
class PackedValue:
    """A value ready to be put: `column` is for the row, `payload` must be stored beside it."""

    column: bytes
    digest: str
    """SHA-256 of the canonical JSON: equal values have equal digests."""
    size_bytes: int
    payload: PayloadRow | None = None


@light(frozen=True, slots=True)
class StoredValue:
    """A column and, where it is an address, the payload that it points at."""

    column: bytes
    payload: PayloadRow | None = None

    @property
    def size_bytes(self) -> int:
        """How many bytes of JSON the value has."""
        return self.payload.size_bytes if self.payload else len(self.column)

    @property
    def is_sealed(self) -> bool:
        """Whether a secret was found in it, so that people are not shown it."""
        return self.payload is not None and self.payload.encoding in _SEALED_ENCODINGS


class Vault:
    """Packs and opens values; belongs to a server, knows its keys, and touches no database."""

    def __init__(
        self,
        keys: KeyFile,
        *,
        seal_all: bool = False,
        known_of: Callable[[str], Iterable[bytes]] | None = None,
    ) -> None:
        """`known_of` gives what is known to be secret of a tenant, as it stands in JSON; it asks nobody."""
        self._keys = keys
        self._seal_all = seal_all
        self._known_of = known_of

    def pack(self, tenant_id: str, value: JsonValue, *, what: str = "a value") -> PackedValue:
        """Return `value` ready to be put. `PayloadTooLarge` names `what`, such as "the output of x"."""
        body = json_bytes(value)
        if len(body) > MAX_VALUE_BYTES:
            raise PayloadTooLarge(
                f"{what} has {len(body)} bytes of JSON; at most {MAX_VALUE_BYTES} can be recorded."
                " Store it elsewhere and record where it is.",
                size_bytes=len(body),
                limit_bytes=MAX_VALUE_BYTES,
            )
        identity = digest(canonical_of(value, body))
        seal = self._seal_all or (may_hold_secret(body) and has_secret(value))
        if not seal and self._known_of is not None:
            seal = any(known in body for known in self._known_of(tenant_id))
        if not seal and len(body) <= INLINE_BYTES:
            return PackedValue(body, identity, len(body))
        packed = payloads.pack(self._keys, tenant_id, body, seal=seal)
        payload = PayloadRow(packed.address, packed.encoding, packed.body, packed.size_bytes)
        return PackedValue(ADDRESS_MARK + payload.address.encode(), identity, len(body), payload)

    def open_value(self, tenant_id: str, stored: StoredValue) -> JsonValue:
        """Return the value exactly as it was packed: for drivers, never for people."""
        if stored.payload is None:
            return parse_json(stored.column)
        row = stored.payload
        return parse_json(payloads.unpack(self._keys, tenant_id, row.address, row.encoding, row.body))

    def display(self, tenant_id: str, stored: StoredValue) -> JsonValue:
        """Return a copy for people: sealed ones as `[sealed]`, credentials in others redacted."""
        if stored.is_sealed:
            return SEALED
        return self.redact(self.open_value(tenant_id, stored))

    def redact(self, value: JsonValue) -> JsonValue:
        """Return a copy of an error, log or event's data without credentials, before it is stored."""
        return redact(value)[0]


def put_value(tx: Tx, tenant_id: str, packed: PackedValue) -> bytes:
    """Store what `packed` needs, counting a reference, and return the column's content."""
    if packed.payload is not None:
        store.put_payload(tx, tenant_id, packed.payload)
    return packed.column


def copy_value(tx: Tx, tenant_id: str, column: bytes) -> bytes:
    """Return `column` for one more row, counting the reference; `CheckpointGone` if it was removed."""
    address = address_of(column)
    if address is not None and not store.count_reference(tx, tenant_id, address, 1):
        raise CheckpointGone(
            "Retention removed a recorded value that this needs; start from an earlier step."
        )
    return column


def drop_value(tx: Tx, tenant_id: str, column: bytes | None) -> None:
    """Say that a row holds `column` no more; retention removes payloads without references."""
    address = address_of(column) if column is not None else None
    if address is not None:
        store.count_reference(tx, tenant_id, address, -1)


def fetch_value(tx: Tx, tenant_id: str, column: bytes) -> StoredValue:
    """Return `column` with its payload, to be opened after the transaction; raises `CheckpointGone`."""
    address = address_of(column)
    if address is None:
        return StoredValue(column)
    payload = store.find_payload(tx, tenant_id, address)
    if payload is None:
        raise CheckpointGone("Retention removed this recorded value.")
    return StoredValue(column, payload)


def fetch_values(tx: Tx, tenant_id: str, columns: Iterable[bytes | None]) -> dict[bytes, StoredValue]:
    """Return each of `columns` that is not None with its payload; those that retention took are left out."""
    found: dict[bytes, StoredValue] = {}
    for column in columns:
        if column is None or column in found:
            continue
        address = address_of(column)
        payload = store.find_payload(tx, tenant_id, address) if address is not None else None
        if address is None or payload is not None:
            found[column] = StoredValue(column, payload)
    return found


def address_of(column: bytes) -> str | None:
    """Return the payload's address that `column` holds, or None if it is the value itself."""
    return column[1:].decode() if column.startswith(ADDRESS_MARK) else None
