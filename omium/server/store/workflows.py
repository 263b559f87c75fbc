"""Workflows: a name per tenant, and under it numbered versions that never change.

Owns the rows of both, and their tags. Does not judge a document (omium/spec) or decide what becomes a version
(engine/workflow_versions.py). Pages of workflows with what ran under them are workflow_lists.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from omium.errors import NotFound
from omium.server.db.tx import Sql, SqlValue, Tx


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """A workflow; `version` is its newest version, which is the active one."""

    id: str
    tenant_id: str
    name: str
    version: int
    archived_us: int | None
    archived_by: str | None
    created_us: int
    created_by: str
    updated_us: int


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What is told of a version without reading its document."""

    workflow_id: str
    number: int
    digest: str
    mode: str
    label: str
    description: str
    source_framework: str
    note: str
    author: str
    restored_from: int | None
    created_us: int


@dataclass(frozen=True, slots=True)
class WorkflowVersionRow:
    """A version whole; `document` is the canonical JSON of a valid spec, `digest` its spec's."""

    tenant_id: str
    workflow_id: str
    number: int
    document: bytes
    digest: str
    mode: str
    label: str
    description: str
    source_framework: str
    note: str
    author: str
    restored_from: int | None
    created_us: int


@dataclass(frozen=True, slots=True)
class NativeRow:
    """The active version of a workflow that workers run."""

    name: str
    workflow_id: str
    number: int
    digest: str


@dataclass(frozen=True, slots=True)
class TagRow:
    """A name for a version, which people move."""

    tag: str
    number: int
    updated_us: int
    updated_by: str


_WORKFLOW = tuple(field.name for field in fields(WorkflowRow))
_FACTS = ", ".join(field.name for field in fields(VersionFacts))
_VERSION = tuple(field.name for field in fields(WorkflowVersionRow))
COLUMNS = ", ".join(_WORKFLOW)

FIND = Sql(f"SELECT {COLUMNS} FROM workflows WHERE tenant_id = :tenant_id AND name = :name")
LOCK = Sql(f"SELECT {COLUMNS} FROM workflows WHERE tenant_id = :tenant_id AND name = :name {{for_update}}")
FIND_BY_ID = Sql(f"SELECT {COLUMNS} FROM workflows WHERE tenant_id = :tenant_id AND id = :id")
INSERT = Sql(f"""
    INSERT INTO workflows ({COLUMNS}) VALUES ({", ".join(f":{name}" for name in _WORKFLOW)})
    ON CONFLICT (tenant_id, name) DO NOTHING
""")  # two who import one name at the same time: the second one finds it, and makes a version of it
ADVANCE = Sql("""
    UPDATE workflows SET version = :version, updated_us = :now_us
     WHERE tenant_id = :tenant_id AND id = :id AND version = :version - 1
""")
ARCHIVE = Sql("""
    UPDATE workflows SET archived_us = :archived_us, archived_by = :archived_by, updated_us = :now_us
     WHERE tenant_id = :tenant_id AND id = :id
""")

INSERT_VERSION = Sql(f"""
    INSERT INTO workflow_versions ({", ".join(_VERSION)})
    VALUES ({", ".join(f":{name}" for name in _VERSION)})
""")
FIND_ACTIVE = Sql(f"""
    SELECT {", ".join(f"v.{name}" for name in _VERSION)} FROM workflows w
      JOIN workflow_versions v ON v.tenant_id = w.tenant_id AND v.workflow_id = w.id AND v.number = w.version
     WHERE w.tenant_id = :tenant_id AND w.name = :name AND w.archived_us IS NULL
""")
LIST_NATIVE = Sql("""
    SELECT w.name AS name, v.workflow_id AS workflow_id, v.number AS number, v.digest AS digest
      FROM workflows w
      JOIN workflow_versions v ON v.tenant_id = w.tenant_id AND v.workflow_id = w.id AND v.number = w.version
     WHERE w.tenant_id = :tenant_id AND v.mode = 'native' ORDER BY w.name LIMIT :limit
""")
GET_VERSION = Sql(f"""
    SELECT {", ".join(_VERSION)} FROM workflow_versions
     WHERE tenant_id = :tenant_id AND workflow_id = :workflow_id AND number = :number
""")
GET_FACTS = Sql(f"""
    SELECT {_FACTS} FROM workflow_versions
     WHERE tenant_id = :tenant_id AND workflow_id = :workflow_id AND number = :number
""")
LIST_VERSIONS = Sql(f"""
    SELECT {_FACTS} FROM workflow_versions
     WHERE tenant_id = :tenant_id AND workflow_id = :workflow_id AND number < :before
     ORDER BY number DESC LIMIT :limit
""")


def find_workflow(tx: Tx, tenant_id: str, name: str) -> WorkflowRow | None:
    """Return the tenant's workflow of that name, archived or not, or None."""
    return tx.one_or_none(FIND, WorkflowRow, tenant_id=tenant_id, name=name)


def find_workflow_by_id(tx: Tx, tenant_id: str, workflow_id: str) -> WorkflowRow | None:
    return tx.one_or_none(FIND_BY_ID, WorkflowRow, tenant_id=tenant_id, id=workflow_id)


def lock_workflow(tx: Tx, tenant_id: str, name: str) -> WorkflowRow | None:
    """Return the tenant's workflow of that name, locked until the transaction ends, or None."""
    return tx.one_or_none(LOCK, WorkflowRow, tenant_id=tenant_id, name=name)


def insert_workflow(tx: Tx, row: WorkflowRow) -> bool:
    """Store a new workflow; False if the tenant has one of that name."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in _WORKFLOW}) == 1


def insert_version(tx: Tx, row: WorkflowVersionRow) -> None:
    """Store a version of a workflow whose row is locked, or new, in this transaction."""
    values: dict[str, SqlValue] = {name: getattr(row, name) for name in _VERSION}
    tx.execute(INSERT_VERSION, **values)


def advance_workflow(tx: Tx, row: WorkflowRow, number: int) -> None:
    """Make `number` the active version of a locked workflow; it follows the one before."""
    changed = tx.execute(ADVANCE, tenant_id=row.tenant_id, id=row.id, version=number, now_us=tx.now_us)
    assert changed == 1, f"{row.id} is locked by this transaction, nobody else can have moved it"


def set_archived(tx: Tx, row: WorkflowRow, archived_us: int | None, archived_by: str | None) -> None:
    """Take a locked workflow out of use, or back into it with None."""
    tx.execute(
        ARCHIVE,
        tenant_id=row.tenant_id,
        id=row.id,
        archived_us=archived_us,
        archived_by=archived_by,
        now_us=tx.now_us,
    )


def find_active_version(tx: Tx, tenant_id: str, name: str) -> WorkflowVersionRow | None:
    """Return the version that a start by name runs, or None: no such workflow, or it is archived."""
    return tx.one_or_none(FIND_ACTIVE, WorkflowVersionRow, tenant_id=tenant_id, name=name)


def list_native(tx: Tx, tenant_id: str, limit: int) -> list[NativeRow]:
    """List the tenant's workflows whose active version workers run, by name; archived ones too."""
    return tx.all(LIST_NATIVE, NativeRow, tenant_id=tenant_id, limit=limit)


def get_version(tx: Tx, tenant_id: str, workflow_id: str, number: int) -> WorkflowVersionRow:
    """Return a version whole, or raise `NotFound`."""
    row = tx.one_or_none(
        GET_VERSION, WorkflowVersionRow, tenant_id=tenant_id, workflow_id=workflow_id, number=number
    )
    if row is None:
        raise _no_version(number)
    return row


def get_version_facts(tx: Tx, tenant_id: str, workflow_id: str, number: int) -> VersionFacts:
    """Return a version but for its document, or raise `NotFound`."""
    row = tx.one_or_none(GET_FACTS, VersionFacts, tenant_id=tenant_id, workflow_id=workflow_id, number=number)
    if row is None:
        raise _no_version(number)
    return row


def list_versions(tx: Tx, tenant_id: str, workflow_id: str, before: int, limit: int) -> list[VersionFacts]:
    """List versions with a number below `before`, newest first."""
    return tx.all(
        LIST_VERSIONS,
        VersionFacts,
        tenant_id=tenant_id,
        workflow_id=workflow_id,
        before=before,
        limit=limit,
    )


def _no_version(number: int) -> NotFound:
    return NotFound(
        f"There is no version {number} of this workflow; see its versions: omium workflows versions NAME"
    )


# ---- tags

LIST_TAGS = Sql("""
    SELECT tag, number, updated_us, updated_by FROM workflow_tags
     WHERE tenant_id = :tenant_id AND workflow_id = :workflow_id ORDER BY tag LIMIT :limit
""")
FIND_TAG = Sql("""
    SELECT tag, number, updated_us, updated_by FROM workflow_tags
     WHERE tenant_id = :tenant_id AND workflow_id = :workflow_id AND tag = :tag
""")
SET_TAG = Sql("""
    INSERT INTO workflow_tags (tenant_id, workflow_id, tag, number, updated_us, updated_by)
    VALUES (:tenant_id, :workflow_id, :tag, :number, :now_us, :by)
    ON CONFLICT (tenant_id, workflow_id, tag) DO UPDATE
       SET number = excluded.number, updated_us = excluded.updated_us, updated_by = excluded.updated_by
""")
DELETE_TAG = Sql("""
    DELETE FROM workflow_tags WHERE tenant_id = :tenant_id AND workflow_id = :workflow_id AND tag = :tag
""")


def list_tags(tx: Tx, tenant_id: str, workflow_id: str, limit: int = 100) -> list[TagRow]:
    """List a workflow's tags by name; the engine keeps their number below `limit`."""
    return tx.all(LIST_TAGS, TagRow, tenant_id=tenant_id, workflow_id=workflow_id, limit=limit)


def find_tag(tx: Tx, tenant_id: str, workflow_id: str, tag: str) -> TagRow | None:
    return tx.one_or_none(FIND_TAG, TagRow, tenant_id=tenant_id, workflow_id=workflow_id, tag=tag)


def set_tag(tx: Tx, row: WorkflowRow, tag: str, number: int, by: str) -> None:
    """Let `tag` name the version `number`, whichever it named before."""
    tx.execute(
        SET_TAG,
        tenant_id=row.tenant_id,
        workflow_id=row.id,
        tag=tag,
        number=number,
        by=by,
        now_us=tx.now_us,
    )


def delete_tag(tx: Tx, row: WorkflowRow, tag: str) -> bool:
    return tx.execute(DELETE_TAG, tenant_id=row.tenant_id, workflow_id=row.id, tag=tag) == 1
