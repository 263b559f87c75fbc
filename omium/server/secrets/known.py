"""KnownSecrets: a tenant's named secrets' values, to mask them in what people are shown of its executions.

Errors and captured logs that drivers send are masked here before they are stored; what is looked for by form
is omium/redact's, and the driver has done that already. Recorded outputs are never altered: the vault seals
those that hold one. Values shorter than six characters are not looked for: they'd mask ordinary words.

Owns a short cache of opened values, in memory only. A secret that was set on another server of the same
database is known here within `CACHE_S`.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar, cast

from omium.clock import US_PER_S, Clock
from omium.errors import SealBroken
from omium.jsonvalue import json_bytes
from omium.logs import get_logger
from omium.models.driver import WriteBatch, WriteGroup
from omium.models.execution import LogLine
from omium.redact import KNOWN_CHARACTERS_MIN, redact, redact_text
from omium.server.db.tx import Database
from omium.server.seal import KeyFile
from omium.server.secrets.named import SECRETS_MAX, open_row
from omium.server.store import secrets as store
from omium.server.store.secrets import SecretRow

CACHE_S: Final = 10
TENANTS_MAX: Final = 1_000

Values = tuple[str, ...]
S = TypeVar("S")

log = get_logger(__name__)


class KnownSecrets:
    """One for each server process."""

    def __init__(self, db: Database, keys: KeyFile, clock: Clock) -> None:
        self._db = db
        self._keys = keys
        self._clock = clock
        self._known: dict[str, tuple[int, Values, tuple[bytes, ...]]] = {}

    async def mask(self, tenant_id: str, batch: WriteBatch) -> WriteBatch:
        """Return `batch` with the tenant's secrets masked in its errors and logs; mostly as it is."""
        values = await self._values(tenant_id)
        return mask_batch(batch, values) if values else batch

    async def mask_one(self, tenant_id: str, said: S) -> S:
        """Return what was said of a task, with the tenant's secrets masked in its error and logs."""
        values = await self._values(tenant_id)
        return cast("S", _mask_write(said, values)) if values else said

    async def list_values(self, tenant_id: str) -> Values:
        """Return what is known to be secret of a tenant, to be masked in what is made for people."""
        return await self._values(tenant_id)

    async def _values(self, tenant_id: str) -> Values:
        known = self._known.get(tenant_id)
        if known is None or self._clock.boot_us() - known[0] > CACHE_S * US_PER_S:
            known = await self._load(tenant_id)
        return known[1]

    def spelled(self, tenant_id: str) -> tuple[bytes, ...]:
        """Return the values as they stand in JSON, as far as they are in memory: the vault seals with it."""
        known = self._known.get(tenant_id)
        return () if known is None else known[2]

    def forget(self, tenant_id: str) -> None:
        """Drop what is known: it was changed just now."""
        self._known.pop(tenant_id, None)

    async def _load(self, tenant_id: str) -> tuple[int, Values, tuple[bytes, ...]]:
        at_us = self._clock.boot_us()
        rows = await self._db.read(lambda tx: store.list_secrets(tx, tenant_id, ("", ""), SECRETS_MAX))
        if len(self._known) >= TENANTS_MAX:
            self._known.clear()
        values = tuple(value for row in rows if (value := self._open(row)) is not None)
        spelled = tuple(json_bytes(each)[1:-1] for each in values if len(each) >= KNOWN_CHARACTERS_MIN)
        known = self._known[tenant_id] = (at_us, values, spelled)
        return known

    def _open(self, row: SecretRow) -> str | None:
        """Return the value; None where its row was moved: what nobody can use must not stop all drivers."""
        try:
            return open_row(self._keys, row)
        except SealBroken:
            told = {"tenant_id": row.tenant_id, "environment": row.environment, "name": row.name}
            log.warning("a named secret does not open", **told)
            return None


def mask_batch(batch: WriteBatch, values: Values) -> WriteBatch:
    """Return `batch` with `values` masked in what people are shown."""
    return batch.model_copy(update={"groups": [_mask_group(group, values) for group in batch.groups]})


def _mask_group(group: WriteGroup, values: Values) -> WriteGroup:
    return group.model_copy(update={"writes": [_mask_write(write, values) for write in group.writes]})


def _mask_write(write: Any, values: Values) -> Any:
    update: dict[str, object] = {}
    if getattr(write, "error", None) is not None:
        update["error"] = redact(write.error, values)[0]
    for name in ("logs", "lines"):
        if lines := getattr(write, name, None):
            update[name] = [_mask_line(line, values) for line in lines]
    return write.model_copy(update=update) if update else write


def _mask_line(line: LogLine, values: Values) -> LogLine:
    return line.model_copy(update={"text": redact_text(line.text, values)[0]})
