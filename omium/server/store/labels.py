"""Labels: the tags and the business key that an execution was started with, to find it by.

Owns their rows, which are written once, with the start, and go with the execution. Lists that are narrowed by
them are execution_lists.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from omium.server.db.tx import Sql, SqlValue, Tx


@dataclass(frozen=True, slots=True)
class LabelsRow:
    """An execution's labels; `tags` is a JSON list, sorted."""

    execution_id: str
    business_key: str | None
    tags: bytes

    def list_tags(self) -> list[str]:
        """Return the tags."""
        found: list[str] = json.loads(self.tags)
        return found


INSERT = Sql("""
    INSERT INTO execution_labels (execution_id, tenant_id, business_key, tags, created_us)
    VALUES (:execution_id, :tenant_id, :business_key, :tags, :created_us)
""")
INSERT_TAG = Sql("""
    INSERT INTO execution_tags (tenant_id, tag, created_us, execution_id)
    VALUES (:tenant_id, :tag, :created_us, :execution_id)
""")
FIND = Sql("""
    SELECT execution_id, business_key, tags FROM execution_labels WHERE execution_id = :execution_id
""")


def insert_labels(
    tx: Tx,
    tenant_id: str,
    execution_id: str,
    created_us: int,
    *,
    business_key: str | None,
    tags: Sequence[str],
) -> None:
    """Store what an execution is found by, in the transaction that inserts it; nothing where it has none."""
    if business_key is None and not tags:
        return
    distinct = sorted(set(tags))
    common: dict[str, SqlValue] = {
        "tenant_id": tenant_id,
        "execution_id": execution_id,
        "created_us": created_us,
    }
    tx.execute(
        INSERT,
        business_key=business_key,
        tags=json.dumps(distinct, ensure_ascii=False, separators=(",", ":")).encode(),
        **common,
    )
    tx.execute_many(INSERT_TAG, [{"tag": tag, **common} for tag in distinct])


def copy_labels(tx: Tx, tenant_id: str, source_id: str, execution_id: str, created_us: int) -> None:
    """Give an execution the labels of its source, in the transaction that inserts it."""
    row = find_labels(tx, source_id)
    if row is not None:
        insert_labels(
            tx,
            tenant_id,
            execution_id,
            created_us,
            business_key=row.business_key,
            tags=row.list_tags(),
        )


def find_labels(tx: Tx, execution_id: str) -> LabelsRow | None:
    """Return an execution's labels, None where it has none. The caller has checked whose it is."""
    return tx.one_or_none(FIND, LabelsRow, execution_id=execution_id)
