"""Workflows are saved as versions: what becomes a new one, who was faster; restoring, archiving, tagging.

Owns those decisions, each in one transaction with the workflow's row locked. Whether a document is a spec at
all is omium/spec; that is judged, packed and hashed before the transaction.

Saving the same again stores nothing, so a save whose answer was lost can be sent again. If the process dies
before the commit the former version is active, after it the new one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from omium.errors import LimitReached, NotFound, WorkflowArchived, WorkflowChanged
from omium.server.db.tx import Tx
from omium.server.principal import Principal
from omium.server.store import workflows as store
from omium.server.store.workflows import VersionFacts, WorkflowRow, WorkflowVersionRow
from omium.spec.canonical import canonical_bytes
from omium.spec.document import Spec

TAGS_MAX = 50
DESCRIPTION_CHARACTERS_MAX = 500  # of what lists show; the document has all of it


@dataclass(frozen=True, slots=True)
class PackedSpec:
    """A valid spec, made ready to be stored."""

    name: str
    document: bytes
    digest: str
    mode: str
    label: str
    description: str
    source_framework: str


@dataclass(frozen=True, slots=True)
class Saved:
    """The active version after a save; `is_new` if this call made it."""

    row: WorkflowRow
    digest: str
    is_new: bool


def pack_spec(spec: Spec) -> PackedSpec:
    """Return what is stored of a spec. Outside of any transaction: a large one takes milliseconds."""
    document = canonical_bytes(spec)
    return PackedSpec(
        name=spec.name,
        document=document,
        digest=hashlib.sha256(document).hexdigest(),
        mode=spec.runtime.mode,
        label=spec.version,
        description=spec.description[:DESCRIPTION_CHARACTERS_MAX],
        source_framework=spec.source_framework,
    )


def save_version(
    tx: Tx,
    principal: Principal,
    packed: PackedSpec,
    *,
    note: str = "",
    expected_version: int | None = None,
    restored_from: int | None = None,
) -> Saved:
    """Make `packed` the active version of the workflow that it names: a new one, unless it is that already.

    Raises `WorkflowChanged` if `expected_version` is given and another one is active (0: there is none yet),
    `WorkflowArchived`, `WorkflowNotAllowed`.
    """
    principal.require_workflow(packed.name)
    row = store.lock_workflow(tx, principal.tenant_id, packed.name)
    if row is None:
        if expected_version:
            raise WorkflowChanged(f"There is no workflow {packed.name} any more.", version=0)
        row = _make_workflow(tx, principal, packed.name)
        if store.insert_workflow(tx, row):
            store.insert_version(tx, _make_version(tx, row, packed, principal, note, restored_from))
            return Saved(row, packed.digest, is_new=True)
        row = _lock(tx, principal.tenant_id, packed.name)  # a neighbour has just made it
    if row.archived_us is not None:
        raise WorkflowArchived(
            f"{row.name} is archived; take it back first: omium workflows unarchive {row.name}"
        )
    active = store.get_version_facts(tx, row.tenant_id, row.id, row.version)
    if active.digest == packed.digest:
        return Saved(row, active.digest, is_new=False)
    if expected_version is not None and expected_version != row.version:
        raise WorkflowChanged(
            f"{row.name} has version {row.version} by now, and you changed version {expected_version}."
            f" See what differs: omium workflows diff {row.name} {expected_version} {row.version}"
            if expected_version
            else f"There is a workflow {row.name} already, with version {row.version}.",
            version=row.version,
        )
    following = replace(row, version=row.version + 1)
    store.insert_version(tx, _make_version(tx, following, packed, principal, note, restored_from))
    store.advance_workflow(tx, row, following.version)
    return Saved(following, packed.digest, is_new=True)


def restore_version(
    tx: Tx,
    principal: Principal,
    name: str,
    number: int,
    *,
    note: str = "",
    expected_version: int | None = None,
) -> Saved:
    """Make an earlier version's document the active one, under a new number.

    Raises as `save_version`, and `NotFound`. Restoring the active version changes nothing.
    """
    row = get_workflow(tx, principal.tenant_id, name)
    earlier = store.get_version(tx, row.tenant_id, row.id, number)
    packed = PackedSpec(
        name=row.name,
        document=earlier.document,
        digest=earlier.digest,
        mode=earlier.mode,
        label=earlier.label,
        description=earlier.description,
        source_framework=earlier.source_framework,
    )
    return save_version(
        tx, principal, packed, note=note, expected_version=expected_version, restored_from=number
    )


def set_archived(tx: Tx, principal: Principal, name: str, *, archived: bool) -> WorkflowRow:
    """Take a workflow out of use, or back into it; a second time changes nothing.

    An archived workflow is not started or changed; what runs of it goes on. Raises `NotFound`.
    """
    row = _lock(tx, principal.tenant_id, name)
    principal.require_workflow(row.name)
    if archived == (row.archived_us is not None):
        return row
    archived_us, by = (tx.now_us, principal.id) if archived else (None, None)
    store.set_archived(tx, row, archived_us, by)
    return replace(row, archived_us=archived_us, archived_by=by, updated_us=tx.now_us)


def set_tag(tx: Tx, principal: Principal, name: str, tag: str, number: int | None) -> VersionFacts:
    """Let `tag` name a version, the active one for None; the same again changes nothing else.

    Raises `NotFound`, and `LimitReached` for one tag too many.
    """
    row = _lock(tx, principal.tenant_id, name)
    principal.require_workflow(row.name)
    facts = store.get_version_facts(tx, row.tenant_id, row.id, number or row.version)
    tags = store.list_tags(tx, row.tenant_id, row.id)
    if len(tags) >= TAGS_MAX and tag not in {each.tag for each in tags}:
        raise LimitReached(f"{row.name} has {TAGS_MAX} tags; delete one first.")
    store.set_tag(tx, row, tag, facts.number, principal.id)
    return facts


def delete_tag(tx: Tx, principal: Principal, name: str, tag: str) -> None:
    """Forget a tag; the version stays. Raises `NotFound`."""
    row = _lock(tx, principal.tenant_id, name)
    principal.require_workflow(row.name)
    if not store.delete_tag(tx, row, tag):
        raise NotFound(f"{row.name} has no tag {tag}; see: omium workflows show {row.name}")


def get_workflow(tx: Tx, tenant_id: str, name: str) -> WorkflowRow:
    """Return the tenant's workflow by name or id, archived or not, or raise `NotFound`."""
    row = store.find_workflow(tx, tenant_id, name) or store.find_workflow_by_id(tx, tenant_id, name)
    if row is None:
        raise _not_found(name)
    return row


def find_number(tx: Tx, row: WorkflowRow, wanted: str) -> int:
    """Return the version that a number, a tag or `active` names; the number need not exist.

    Raises `NotFound` for a tag that is none.
    """
    if wanted == "active":
        return row.version
    if wanted.isascii() and wanted.isdecimal():
        return int(wanted) if len(wanted) < 10 else 0
    found = store.find_tag(tx, row.tenant_id, row.id, wanted)
    if found is None:
        raise NotFound(
            f"{row.name} has no tag {wanted}; see its versions: omium workflows versions {row.name}"
        )
    return found.number


def _lock(tx: Tx, tenant_id: str, name: str) -> WorkflowRow:
    row = store.lock_workflow(tx, tenant_id, name)
    if row is None:
        by_id = store.find_workflow_by_id(tx, tenant_id, name)
        row = store.lock_workflow(tx, tenant_id, by_id.name) if by_id is not None else None
    if row is None:
        raise _not_found(name)
    return row


def _not_found(name: str) -> NotFound:
    return NotFound(f"There is no workflow {name} with a stored spec; see: omium workflows list")


def _make_workflow(tx: Tx, principal: Principal, name: str) -> WorkflowRow:
    return WorkflowRow(
        id=tx.new_id("wf"),
        tenant_id=principal.tenant_id,
        name=name,
        version=1,
        archived_us=None,
        archived_by=None,
        created_us=tx.now_us,
        created_by=principal.id,
        updated_us=tx.now_us,
    )


def _make_version(
    tx: Tx,
    row: WorkflowRow,
    packed: PackedSpec,
    principal: Principal,
    note: str,
    restored_from: int | None,
) -> WorkflowVersionRow:
    return WorkflowVersionRow(
        tenant_id=row.tenant_id,
        workflow_id=row.id,
        number=row.version,
        document=packed.document,
        digest=packed.digest,
        mode=packed.mode,
        label=packed.label,
        description=packed.description,
        source_framework=packed.source_framework,
        note=note,
        author=principal.id,
        restored_from=restored_from,
        created_us=tx.now_us,
    )
