"""Starts made ready before their transaction: checked, packed, and given an id that a repeat has again.

Owns what cannot be meant, and what makes two starts the same. What a start does is start.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from omium.errors import InvalidRequest
from omium.ids import derived_id, is_id
from omium.jsonvalue import JsonValue, canonical_bytes, digest
from omium.models.execution import StartExecution
from omium.server.engine.grants import Taker, make_taker, new_token
from omium.server.engine.limits import digested
from omium.server.engine.values import PackedValue, Vault
from omium.server.principal import Principal
from omium.states import Driver, Durability, Takeover

TOKEN_CHARACTERS_MIN = 22  # 128 bits in base64


@dataclass(frozen=True, slots=True)
class PackedStart:
    """A start made ready before its transaction. `keyed` says that the id follows from an Idempotency-Key."""

    principal: Principal
    command: StartExecution
    id: str | None
    keyed: bool
    lease_token: str
    taker: Taker
    input: PackedValue
    request_digest: str
    metered: bool = False


def pack_start(
    vault: Vault,
    principal: Principal,
    command: StartExecution,
    idempotency_key: str | None,
    *,
    metered: bool = False,
) -> PackedStart:
    """Make a start ready; raises `InvalidRequest` for what cannot be meant."""
    if command.driver is Driver.ENGINE:
        _refuse(
            "driver",
            "Executions of imported specs are started by their workflow's name with driver `worker`.",
        )
    if command.driver is Driver.OBSERVED:
        _refuse("driver", "Observed executions are made of the spans that come in at /v1/traces.")
    if command.takeover is Takeover.AUTO and command.durability is Durability.RELAXED:
        _refuse(
            "takeover", "takeover=auto needs durability=strict: a relaxed driver does not stop by itself."
        )
    if command.driver is Driver.WORKER and command.durability is Durability.RELAXED:
        _refuse("durability", "Workers are strict; choose durability=strict.")
    if command.id is not None and not is_id(command.id, "ex"):
        _refuse("id", "An execution's id looks like ex_01k9... (omium.ids.new_id).")
    if command.lease_token is not None and len(command.lease_token) < TOKEN_CHARACTERS_MIN:
        _refuse("lease_token", f"A lease token has at least {TOKEN_CHARACTERS_MIN} random characters.")
    if (command.parent_id is None) != (command.parent_path is None):
        _refuse("parent_path", "parent_id and parent_path belong together.")
    if command.id is None and command.parent_id is None and idempotency_key is None:
        _refuse("id", "Give the execution an id, or send an Idempotency-Key: a start must be repeatable.")
    keyed = command.id is None and command.parent_id is None
    token = command.lease_token or new_token()
    packed = vault.pack(principal.tenant_id, cast("JsonValue", command.input), what="The input")
    return PackedStart(
        principal=principal,
        command=command,
        id=_keyed_id(principal, idempotency_key) if keyed else command.id,
        keyed=keyed,
        lease_token=token,
        taker=make_taker(principal.id, token, command.process, command.code),
        input=packed,
        request_digest=_digest_request(principal, command, packed),
        metered=metered,
    )


def _keyed_id(principal: Principal, idempotency_key: str | None) -> str:
    assert idempotency_key is not None
    return derived_id("ex", "start", principal.tenant_id, principal.id, idempotency_key)


def _digest_request(principal: Principal, command: StartExecution, packed: PackedValue) -> str:
    """Return the digest of what a start asks for; sender, time and token are no part of it."""
    asked: dict[str, JsonValue] = {
        "environment": principal.environment.value,
        "workflow": command.workflow,
        "driver": command.driver.value,
        "queue": command.queue,
        "durability": command.durability.value,
        "takeover": command.takeover.value,
        "input": packed.digest,
        "input_digest": command.input_digest,
        "comparable": command.comparable,
        "parent": [command.parent_id, command.parent_path],
        "limits": dict(digested(command.limits)),
    }
    if command.tags or command.business_key is not None:
        asked["labels"] = [[*sorted(set(command.tags))], command.business_key]
    return digest(canonical_bytes(asked))


def _refuse(field: str, detail: str) -> None:
    raise InvalidRequest(detail, errors=[{"pointer": f"/{field}", "detail": detail}])
