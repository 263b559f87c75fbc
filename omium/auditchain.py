"""The audit chain: the digest that holds the entries of an audit log together, and how an export is checked.

    digest = SHA-256(digest of the entry before | canonical JSON of [the facts in the order of FACTS, detail])

Pure, and used on both sides: the server writes with it, `omium audit verify --file` checks an export with it,
without a server and without a key. docs/audit.md tells the same procedure to people.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

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
FIRST: Final = bytes(32)
"""What stands for the digest before the first entry."""


def digest_facts(previous: bytes, facts: Iterable[object], detail: object) -> bytes:
    """Return the digest of an entry with `facts` in the order of `FACTS`, after the one of `previous`."""
    content = json.dumps([*facts, detail], ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(previous + content.encode()).digest()


def digest_exported(entry: Mapping[str, object]) -> str:
    """Return the digest, in hexadecimal, that an exported entry must have."""
    previous = bytes.fromhex(str(entry["previous"]))
    return digest_facts(previous, [entry[name] for name in FACTS], entry["detail"]).hex()


def check_export(
    entries: Iterable[Mapping[str, object]], anchors: Mapping[tuple[str, int], str] | None = None
) -> Iterator[str]:
    """Yield, as sentences, what is wrong with an export, sorted by `seq` within each tenant.

    Entries that follow each other are compared with each other; between those that a filter has left out
    only each one's own digest can be. `anchors` are heads that were noted elsewhere: the digest by tenant and
    seq. An anchor beyond the last entry says that the end is missing.
    """
    last: dict[str, tuple[int, str]] = {}
    left = dict(anchors or {})
    for entry in entries:
        try:
            tenant_id, seq, digest = str(entry["tenant_id"]), int(str(entry["seq"])), str(entry["digest"])
            expected = digest_exported(entry)
        except (KeyError, ValueError):
            yield f"a line is no audit entry: {json.dumps(entry)[:100]}"
            continue
        where = f"{tenant_id}: entry {seq}"
        before = last.get(tenant_id, (0, FIRST.hex()))
        if digest != expected:
            yield f"{where} was changed: its digest does not fit."
        if seq <= before[0]:
            yield f"{where} comes after {before[0]}: the order was changed."
        elif seq == before[0] + 1 and entry["previous"] != before[1]:
            yield f"{where} does not follow the one before it: one of them was exchanged."
        if left.pop((tenant_id, seq), digest) != digest:
            yield f"{where} is another one than was anchored."
        last[tenant_id] = (seq, digest)
    for (tenant_id, seq), _ in sorted(left.items()):
        if seq > last.get(tenant_id, (0, ""))[0]:
            yield f"{tenant_id}: entry {seq} was anchored and is missing: the end was cut off."
