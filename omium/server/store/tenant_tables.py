"""Every table with rows of a tenant: which are emptied when it is deleted, in which order, and which stay.

Executions, with all that hangs on them, go before (omium/server/engine/retention.py). A test compares the two
lists with the schema, so that a new table is not forgotten.
"""

from __future__ import annotations

from typing import Final

from omium.server.db.tx import Sql, Tx

WITH_EXECUTIONS: Final = frozenset(
    {
        "activations",
        "engine_runs",
        "execution_labels",
        "execution_meters",
        "execution_tags",
        "executions",
        "tree_cancels",
        "webhook_pushes",
    }
)
"""Rows of these go with their execution."""

KEPT: Final = {
    "audit_entries": "append-only: who did what stays provable",
    "audit_heads": "the end of that chain",
    "credit_lots": "belongs to the ledger",
    "credit_marks": "belongs to the ledger",
    "holds": "belongs to the ledger",
    "ledger_entries": "append-only: money that was moved stays accounted for",
    "payments": "belongs to the ledger",
    "storage_days": "what entries for kept checkpoints follow from",
}
"""Table to the reason why its rows stay. They hold ids, amounts and moments, and nothing that ran."""

EMPTIED: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("subscriptions", ("tenant_id",)),
    ("trace_calls", ("execution_id", "span_id")),
    ("traces", ("execution_id",)),  # their spans go with them
    ("fires", ("origin_id", "key")),
    ("schedules", ("id",)),
    ("triggers", ("id",)),
    ("step_slots", ("execution_id", "path")),
    ("quarantined_versions", ("tenant_id", "spec_digest")),
    ("workflow_tags", ("tenant_id", "workflow_id", "tag")),
    ("workflow_versions", ("tenant_id", "workflow_id", "number")),
    ("workflows", ("tenant_id", "id")),
    ("secrets", ("tenant_id", "environment", "name")),
    ("webhook_targets", ("id",)),
    ("alert_deliveries", ("id",)),
    ("alert_facts", ("id",)),
    ("alert_rules", ("id",)),
    ("effects", ("tenant_id", "effect_key")),
    ("failure_occurrences", ("id",)),
    ("failures", ("id",)),
    ("replay_batches", ("id",)),
    ("concurrency_slots", ("tenant_id", "environment", "key")),
    ("breakers", ("tenant_id", "environment", "name")),
    ("workers", ("id",)),
    ("unpriced_usage", ("tenant_id", "usage_id")),
    ("usage_records", ("tenant_id", "id")),
    ("usage_marks", ("tenant_id", "at_us")),
    ("graph_writes", ("tenant_id", "thread_id", "namespace", "checkpoint_id", "task_id", "idx")),
    ("graph_channels", ("tenant_id", "thread_id", "namespace", "channel", "version")),
    ("graph_checkpoints", ("tenant_id", "thread_id", "namespace", "checkpoint_id")),
    ("payloads", ("tenant_id", "address")),
    ("idempotency_records", ("tenant_id", "principal_id", "endpoint", "key")),
    ("key_days", ("tenant_id", "api_key_id", "day")),
    ("key_rollups", ("tenant_id",)),
    (
        "execution_sums",
        ("tenant_id", "start_us", "width", "environment", "workflow", "started_by", "status", "bucket"),
    ),
    (
        "usage_sums",
        ("tenant_id", "start_us", "width", "environment", "workflow", "started_by", "provider", "model"),
    ),
    (
        "failure_sums",
        (
            *("tenant_id", "start_us", "width", "environment", "workflow", "started_by"),
            *("kind", "error_type", "step"),
        ),
    ),
    ("spending_marks", ("tenant_id",)),
    ("savings", ("tenant_id", "at_us", "execution_id", "seq")),
    ("api_keys", ("id",)),
    ("invitations", ("id",)),
    ("sessions", ("id",)),
    ("memberships", ("tenant_id", "user_id")),
)
"""Table and primary key, in an order that no foreign key contradicts."""

_METERS: Final = Sql("""
    DELETE FROM key_meters WHERE api_key_id IN (
      SELECT k.id FROM api_keys k JOIN key_meters m ON m.api_key_id = k.id
       WHERE k.tenant_id = :tenant_id LIMIT :limit)
""")


_OF_FAILURES: Final = ("failure_occurrences", "replay_batches")
"""Found by their failure: no index of theirs begins with the tenant."""


def _delete(table: str, key: tuple[str, ...]) -> Sql:
    if table in _OF_FAILURES:
        return Sql(f"""
            DELETE FROM {table} WHERE id IN (
              SELECT owned.id FROM failures f JOIN {table} AS owned ON owned.failure_id = f.id
               WHERE f.tenant_id = :tenant_id LIMIT :limit)
        """)
    columns = ", ".join(key)
    return Sql(f"""
        DELETE FROM {table} WHERE ({columns}) IN (
          SELECT {columns} FROM {table} WHERE tenant_id = :tenant_id LIMIT :limit)
    """)


_DELETES: Final = (_METERS, *(_delete(table, key) for table, key in EMPTIED))


def delete_some(tx: Tx, tenant_id: str, limit: int) -> int:
    """Remove up to `limit` rows of the first table that has any, and return how many; 0 if all are empty."""
    for sql in _DELETES:
        if removed := tx.execute(sql, tenant_id=tenant_id, limit=limit):
            return removed
    return 0
