"""Chain: the digests that hold a tenant's entries together.

    digest = SHA-256(digest of the entry before | canonical JSON of [the facts in the order of FACTS, detail])
    mac    = HMAC-SHA-256(a key of the key file, tenant, seq, digest)

Anybody can check digests: a change, a gap or another order shows, and an exported log is compared with an
anchored head. Only the server can make macs, so whoever may write into the database cannot make another
chain that fits. Pure; docs/audit.md tells the same procedure to people.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Final

from omium.jsonvalue import canonical_bytes
from omium.server.seal import KeyFile, Purpose
from omium.server.store.audit_log import EntryRow

FACTS: Final = (
    "tenant_id",
    "seq",
    "at_us",
    "actor_kind",
    "actor_id",
    "action",
    "target",
    "result",
    "code",
    "address",
    "user_agent",
    "request_id",
)


def digest_entry(row: EntryRow) -> bytes:
    """Return the digest that chains `row` to the entry whose digest it names as `previous`."""
    facts = [getattr(row, name) for name in FACTS]
    return hashlib.sha256(row.previous + canonical_bytes([*facts, json.loads(row.detail)])).digest()


def mac_of(key_file: KeyFile, tenant_id: str, seq: int, digest: bytes) -> bytes:
    """Return the mac of the entry `seq`, which has `digest`."""
    return key_file.hmac(Purpose.AUDIT_CHAIN, tenant_id, seq.to_bytes(8, "big"), digest)


def link_entry(key_file: KeyFile, row: EntryRow) -> EntryRow:
    """Return `row` with both of its digests."""
    digest = digest_entry(row)
    return replace(row, digest=digest, mac=mac_of(key_file, row.tenant_id, row.seq, digest))
