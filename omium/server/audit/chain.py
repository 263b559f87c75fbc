"""Chain: the two digests of an entry.

    digest   omium/auditchain.py: can be checked by anybody
    mac      HMAC-SHA-256(a key of the key file, tenant, seq, digest): only the server can make it

So a change, a gap or another order shows to everybody, and whoever may write into the database cannot make
another chain that fits. Pure.
"""

from __future__ import annotations

import json
from dataclasses import replace

from omium.auditchain import FACTS, digest_facts
from omium.server.seal import KeyFile, Purpose
from omium.server.store.audit_log import EntryRow


def digest_entry(row: EntryRow) -> bytes:
    """Return the digest that chains `row` to the entry whose digest it names as `previous`."""
    return digest_facts(row.previous, [getattr(row, name) for name in FACTS], json.loads(row.detail))


def mac_of(key_file: KeyFile, tenant_id: str, seq: int, digest: bytes) -> bytes:
    """Return the mac of the entry `seq`, which has `digest`."""
    return key_file.hmac(Purpose.AUDIT_CHAIN, tenant_id, seq.to_bytes(8, "big"), digest)


def link_entry(key_file: KeyFile, row: EntryRow) -> EntryRow:
    """Return `row` with both of its digests."""
    digest = digest_entry(row)
    return replace(row, digest=digest, mac=mac_of(key_file, row.tenant_id, row.seq, digest))
