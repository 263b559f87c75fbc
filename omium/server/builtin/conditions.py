"""Conditions: a version's expressions are evaluated until they have ended the process for it twice.

Owns the quarantine: what was ended is counted for good, by tenant and document, so neither a restart nor
another server nor saving the same document again begins anew. Evaluating is expressions.py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from omium.jsonvalue import JsonValue
from omium.logs import get_logger
from omium.server.builtin.expressions import ExpressionFailed, ExpressionKilled, ExpressionPool
from omium.server.db.tx import Database
from omium.server.store import quarantine as store

KILLS_MAX: Final = 2

log = get_logger(__name__)


class Conditions:
    """One for each server process."""

    def __init__(self, db: Database, pool: ExpressionPool) -> None:
        self._db = db
        self._pool = pool

    async def evaluate(
        self, tenant_id: str, spec_digest: str, source: str, values: Mapping[str, JsonValue]
    ) -> JsonValue:
        """Return the value of a condition of a version; raises as `ExpressionPool.evaluate`.

        If the process dies between the end of an expression and its count, it is one that was not counted.
        """
        kills = await self._db.read(partial(store.count_kills, tenant_id=tenant_id, spec_digest=spec_digest))
        if kills >= KILLS_MAX:
            raise ExpressionFailed(
                f"The conditions of this version were ended {kills} times because they took too much; they"
                " are evaluated no more. Save a version with others, and replay."
            )
        try:
            return await self._pool.evaluate(source, values)
        except ExpressionKilled:
            note = partial(store.note_kill, tenant_id=tenant_id, spec_digest=spec_digest)
            await self._db.write(note)
            log.warning("a condition was ended", tenant_id=tenant_id, spec_digest=spec_digest)
            raise
