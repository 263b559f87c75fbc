"""Calls: what a handler is given.

A `Call` is one authenticated, validated request with the server's parts at hand. Its `read`, `write` and
`mutate` run one plain function `work(tx)` each, in one transaction. Does not parse or authenticate
(dispatch.py, auth.py). A handler that waits adds its watcher to `watchers`, so that it ends when the client
goes away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic

from pydantic import BaseModel
from typing_extensions import TypeVar

from omium.server.db.tx import Database, Tx
from omium.server.engine.parts import EngineParts
from omium.server.live import Watcher
from omium.server.principal import Principal, PrincipalKind
from omium.server.web.answer import Answer, Stream
from omium.server.web.context import ServerContext
from omium.server.web.deed import AuditedDatabase, Deed
from omium.server.web.idempotency import IdempotentRequest

__all__ = ["Answer", "Call", "Stream"]

POLL_INTERVAL_S = 1.0  # how late a hint that another server of the same database gave may be noticed

BodyT = TypeVar("BodyT", default=Any)
QueryT = TypeVar("QueryT", default=Any)
T = TypeVar("T")


@dataclass(slots=True)
class Call(Generic[BodyT, QueryT]):
    """One request; `body` and `query` are the endpoint's models, `path` holds the decoded parameters."""

    server: ServerContext
    principal: Principal
    path: Mapping[str, str]
    body: BodyT
    query: QueryT
    raw_body: bytes
    headers: Mapping[str, str]  # lower-case names
    request_id: str
    peer: str  # the other end of the connection
    address: str  # the client's address, which is another one behind a trusted proxy
    status: int  # what a successful answer carries
    idempotency: IdempotentRequest | None = None  # set on KEYED endpoints, always
    watchers: list[Watcher] = field(default_factory=list)  # closed when the client goes away
    deed: Deed | None = None  # set on endpoints that are audited

    @property
    def db(self) -> Database:
        """The open database. On an endpoint that is audited, the first write carries the entry."""
        return self.server.db if self.deed is None else AuditedDatabase(self.server.db, self.deed)

    @property
    def engine(self) -> EngineParts:
        """The engine's parts, over `db`."""
        return replace(self.server.engine, db=self.db)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work(tx)` on a read-only snapshot and return what it returns."""
        return await self.server.db.read(work)

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work(tx)` in one write transaction; it is committed when this returns."""
        return await self.db.write(work)

    def tell(
        self,
        *,
        target: str | None = None,
        tenant_id: str | None = None,
        actor_id: str | None = None,
        **detail: str | int | bool | None,
    ) -> None:
        """Add to what the audit log tells of this call; nothing secret. Before or inside the work.

        Where nobody was known before (a log-in), `tenant_id` and `actor_id` say whose entry it is. Does
        nothing where the endpoint isn't audited.
        """
        if self.deed is None:
            return
        if target is not None:
            self.deed.target, self.deed.target_field = target, None
        if tenant_id is not None:
            self.deed.actor = replace(self.deed.actor, tenant_id=tenant_id)
        if actor_id is not None:
            self.deed.actor = replace(self.deed.actor, kind=PrincipalKind.USER.value, id=actor_id)
        self.deed.detail.update(detail)

    async def mutate(self, work: Callable[[Tx], BaseModel | None]) -> Answer:
        """Run a KEYED endpoint's one mutation, together with the record that makes a repeat answer the same.

        In one transaction: a known key with the same body gives the stored reply and `work` does not run,
        with another body `IdempotencyMismatch`; else `work(tx)` runs and its reply is stored. If the process
        dies before the commit there is neither effect nor record; after it, both. A raised problem stores
        nothing.
        """
        assert self.idempotency is not None, "mutate() is for endpoints declared Idempotency.KEYED"
        if self.deed is None:
            return await self.idempotency.mutate(self.server.db, work, self.status)
        answer = await self.idempotency.mutate(self.server.db, self.deed.after(work), self.status)
        self.deed.written = True  # a repeat, too: it was written with the first
        return answer
