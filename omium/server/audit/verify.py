"""Verify: the first entry of each chain that is not as it was written.

Reads in bounded pieces, up to the head as it was at the beginning, so it runs beside a live server. What it
cannot find by itself is an end that was cut off together with its head: heads that were noted elsewhere (the
server's log, a backup's list) are compared by `check_anchor`.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator

from omium.server.audit.chain import digest_entry, mac_of
from omium.server.db.tx import Database
from omium.server.seal import KeyFile
from omium.server.store import audit_log as store
from omium.server.store.audit_log import NOTHING, EntryRow, HeadRow

ENTRIES_PER_READ = 500
CHAINS_PER_READ = 200


async def list_audit_problems(db: Database, key_file: KeyFile) -> list[str]:
    """Return what is wrong with any chain, as sentences that name the first bad entry."""
    return [text async for text in verify_chains(db, key_file)]


async def verify_chains(db: Database, key_file: KeyFile) -> AsyncIterator[str]:
    """Yield a sentence for each chain in which something is wrong."""
    after = ""
    while owners := await db.read(lambda tx, a=after: store.list_owners(tx, a, CHAINS_PER_READ)):  # type: ignore[misc]
        for owner in owners:
            head = await db.read(lambda tx, o=owner: store.find_head(tx, o))  # type: ignore[misc]
            problem = await verify_chain(db, key_file, owner, head)
            if problem is not None:
                yield problem
        after = owners[-1]
    after = ""
    while heads := await db.read(lambda tx, a=after: store.list_heads(tx, a, CHAINS_PER_READ)):  # type: ignore[misc]
        for head in heads:
            first = await db.read(lambda tx, h=head: store.list_chain(tx, h.tenant_id, 0, 1))  # type: ignore[misc]
            if head.last_seq and not first:
                yield f"{head.tenant_id}: entry 1 is missing, as are all up to {head.last_seq}."
        after = heads[-1].tenant_id


async def verify_chain(db: Database, key_file: KeyFile, tenant_id: str, head: HeadRow | None) -> str | None:
    """Return what is wrong with the first bad entry of the chain, None if it's whole up to `head`."""
    last_seq, digest = 0, NOTHING
    through = 0 if head is None else head.last_seq
    while last_seq < through:
        portion = await db.read(
            lambda tx, s=last_seq: store.list_chain(tx, tenant_id, s, ENTRIES_PER_READ)  # type: ignore[misc]
        )
        for row in portion:
            if row.seq > through:
                break
            problem = _judge(key_file, last_seq, digest, row)
            if problem is not None:
                return f"{tenant_id}: {problem}"
            last_seq, digest = row.seq, row.digest
        if not portion or portion[-1].seq > through:
            break
    if last_seq < through:
        return f"{tenant_id}: entry {last_seq + 1} is missing, as is what came after it."
    if head is not None and not hmac.compare_digest(head.digest, digest):
        return f"{tenant_id}: the head was changed: it does not name entry {last_seq}."
    beyond = await db.read(lambda tx: store.list_chain(tx, tenant_id, through, 1))
    now = await db.read(lambda tx: store.find_head(tx, tenant_id))
    if beyond and (now is None or now.last_seq < beyond[0].seq):
        return f"{tenant_id}: entry {beyond[0].seq} stands behind the head: the head was set back."
    return None


def check_anchor(
    key_file: KeyFile, entry: EntryRow | None, tenant_id: str, seq: int, digest: bytes, mac: bytes
) -> str | None:
    """Compare a head that was noted elsewhere with the `entry` that is there now, if any."""
    if not hmac.compare_digest(mac, mac_of(key_file, tenant_id, seq, digest)):
        return f"{tenant_id}: the anchor of entry {seq} was not made by this server."
    if entry is None:
        return f"{tenant_id}: entry {seq} was anchored and is missing: the end was cut off."
    if not hmac.compare_digest(entry.digest, digest):
        return f"{tenant_id}: entry {seq} is another one than was anchored."
    return None


def _judge(key_file: KeyFile, last_seq: int, digest: bytes, row: EntryRow) -> str | None:
    if row.seq != last_seq + 1:
        return f"entry {last_seq + 1} is missing."
    if row.previous != digest:
        return f"entry {row.seq} does not follow entry {last_seq}: one of them was exchanged."
    try:
        expected = digest_entry(row)
    except ValueError:  # its detail is no JSON any more
        expected = b""
    if not hmac.compare_digest(row.digest, expected):
        return f"entry {row.seq} was changed: its digest does not fit."
    if not hmac.compare_digest(row.mac, mac_of(key_file, row.tenant_id, row.seq, row.digest)):
        return f"entry {row.seq} was not written by this server: its mac does not fit."
    return None
