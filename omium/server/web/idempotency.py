"""Idempotency: a request that is sent again gets the answer that it got.

The record (tenant, principal, endpoint, key) holds the digest of what was asked and the reply, and commits
with the mutation itself, so there is never one without the other. Kept for seven days, then removed in small
portions by `sweep_records`. A reply with a new secret is stored without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from omium.errors import IdempotencyMismatch, InvalidRequest, OutcomeUnknown, SecretNotRepeatable
from omium.server.db.tx import Database, Tx
from omium.server.store import idempotency as store
from omium.server.web.answer import Answer, answer_model

HEADER = "idempotency-key"
KEY_CHARACTERS_MAX = 255
RACES_MAX = 3
SWEEP_ROWS = 500


class _RacedError(Exception):
    """Another server stored a record of the same key while this work ran; its reply is the one."""


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """One request under its key. `digest` covers the path, the query and the body as they were sent."""

    tenant_id: str
    principal_id: str
    endpoint: str
    key: str
    digest: str
    secret_fields: frozenset[str]

    async def mutate(self, db: Database, work: Callable[[Tx], BaseModel | None], status: int) -> Answer:
        """Run `work` once for this key and return its reply, the first time and every further time."""
        for _ in range(RACES_MAX):
            try:
                return await db.write(lambda tx: self.run(tx, work, status))
            except _RacedError:  # two servers on one PostgreSQL: the other one was first, look again
                continue
        raise OutcomeUnknown("The same Idempotency-Key is in use elsewhere; send the request again.")

    def run(self, tx: Tx, work: Callable[[Tx], BaseModel | None], status: int) -> Answer:
        """Do what `mutate` says, inside the transaction `tx`."""
        record = store.find_record(tx, self.tenant_id, self.principal_id, self.endpoint, self.key)
        if record is not None:
            return self._repeat(record)
        reply = work(tx)
        answer = answer_model(reply, status)
        stored = answer.body
        if self.secret_fields and reply is not None:
            stored = reply.model_dump_json(exclude=set(self.secret_fields)).encode()
        inserted = store.insert_record(
            tx,
            tenant_id=self.tenant_id,
            principal_id=self.principal_id,
            endpoint=self.endpoint,
            key=self.key,
            body_digest=self.digest,
            status=status,
            reply=stored,
        )
        if not inserted:
            raise _RacedError
        return answer

    def _repeat(self, record: store.Record) -> Answer:
        if record.body_digest != self.digest:
            raise IdempotencyMismatch(
                "This Idempotency-Key was used with another body; take a new key for it."
            )
        if self.secret_fields:
            raise SecretNotRepeatable(
                "This was done when it was asked first, and the secret was shown then. If it was lost, revoke"
                " what member `reply` names and create another one.",
                reply=json.loads(record.reply),
            )
        return Answer(record.reply, record.status, {"idempotency-replayed": "true"})


def read_key(headers: Mapping[str, str]) -> str:
    """Return the request's `Idempotency-Key`, or raise `InvalidRequest`."""
    key = headers.get(HEADER, "")
    if not key:
        raise InvalidRequest(
            "This needs an Idempotency-Key header: any new text, such as a UUID, the same when you repeat.",
            errors=[{"pointer": "header:Idempotency-Key", "detail": "is missing"}],
        )
    if len(key) > KEY_CHARACTERS_MAX or not key.isascii() or not key.isprintable():
        raise InvalidRequest(
            f"The Idempotency-Key takes up to {KEY_CHARACTERS_MAX} printable ASCII characters.",
            errors=[{"pointer": "header:Idempotency-Key", "detail": "is too long or has other characters"}],
        )
    return key


def digest_request(raw_path: bytes, query: bytes, body: bytes) -> str:
    """Return the digest of what a request asks; a client that repeats itself sends the same bytes."""
    hasher = hashlib.sha256(b"%d:%s%d:%s" % (len(raw_path), raw_path, len(query), query))
    hasher.update(body)
    return hasher.hexdigest()


def sweep_records(tx: Tx, retention_s: int) -> int:
    """Remove up to `SWEEP_ROWS` records older than `retention_s` and return how many."""
    return store.delete_records(tx, tx.now_us - retention_s * 1_000_000, SWEEP_ROWS)
