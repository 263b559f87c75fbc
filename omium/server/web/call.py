"""Calls: what a handler is given, and what it may give back.

A `Call` is one authenticated, validated request with the server's parts at hand. Its `read`, `write` and
`mutate` run one plain function `work(tx)` each, in one transaction. Does not parse or authenticate
(dispatch.py, auth.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic

from pydantic import BaseModel
from typing_extensions import TypeVar

from omium.server.principal import Principal

if TYPE_CHECKING:  # these modules import this one, or only the checker needs them
    from omium.server.db.tx import Tx
    from omium.server.web.context import ServerContext
    from omium.server.web.idempotency import IdempotentRequest

BodyT = TypeVar("BodyT", default=Any)
QueryT = TypeVar("QueryT", default=Any)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is encoded already: sent as it is, byte for byte."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that goes on: `chunks` yields encoded server-sent events until it ends or is closed."""

    chunks: AsyncIterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


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
    peer: str  # the client's address, after trusted proxies
    status: int  # what a successful answer carries
    idempotency: IdempotentRequest | None = None  # set on KEYED endpoints, always

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work(tx)` on a read-only snapshot and return what it returns."""
        return await self.server.db.read(work)

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work(tx)` in one write transaction; it is committed when this returns."""
        return await self.server.db.write(work)

    async def mutate(self, work: Callable[[Tx], BaseModel | None]) -> Answer:
        """Run a KEYED endpoint's one mutation, together with the record that makes a repeat answer the same.

        In one transaction: a known key with the same body gives the stored reply and `work` does not run,
        with another body `IdempotencyMismatch`; else `work(tx)` runs and its reply is stored. If the process
        dies before the commit there is neither effect nor record; after it, both. A raised problem stores
        nothing.
        """
        assert self.idempotency is not None, "mutate() is for endpoints declared Idempotency.KEYED"
        return await self.idempotency.mutate(self.server.db, work, self.status)
