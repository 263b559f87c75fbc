"""Anchors: the heads of all chains, noted outside of the database, where whoever changes it cannot reach.

The server's log gets each head that has moved, every `EVERY_S` and at the first look; each backup that the
server makes gets a list beside it. A restart tells all heads again, which harms nobody.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from omium.logs import get_logger
from omium.server.db.tx import Database, Tx
from omium.server.store import audit_log as store
from omium.server.store.audit_log import HeadRow

EVERY_S: Final = 900.0
HEADS_PER_READ: Final = 500
SUFFIX: Final = ".audit.jsonl"

log = get_logger(__name__)


class Anchors:
    """Tells the server's log where the chains end."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def tell(self, tx: Tx) -> int:
        """Log every head that has moved since it was told; returns how many."""
        moved, after = list[HeadRow](), ""
        while heads := store.list_heads(tx, after, HEADS_PER_READ):
            moved += [head for head in heads if self._told.get(head.tenant_id) != head.last_seq]
            after = heads[-1].tenant_id
        for head in moved:
            log.info("audit head", **show_head(head))
            self._told[head.tenant_id] = head.last_seq
        return len(moved)


def show_head(head: HeadRow) -> dict[str, str | int]:
    """Return `head` as it's written down: log lines, lists beside backups."""
    return {
        "tenant_id": head.tenant_id,
        "seq": head.last_seq,
        "digest": head.digest.hex(),
        "mac": head.mac.hex(),
        "at_us": head.at_us,
    }


async def write_heads(db: Database, target: Path) -> None:
    """Write the heads of all chains to the new file `target`, one JSON object a line, mode 0600.

    Call it before the backup is begun: what it names is in the backup then. Dies in between: a list without a
    backup.
    """
    lines, after = list[str](), ""
    while heads := await db.read(lambda tx, a=after: store.list_heads(tx, a, HEADS_PER_READ)):  # type: ignore[misc]
        lines += [json.dumps(show_head(head)) for head in heads]
        after = heads[-1].tenant_id
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
