"""A replay made ready before its transaction: edits read, values packed, the new execution's id settled.

Owns what an edit of the input means: the whole, or one parameter of it, and the digest that goes with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from omium.errors import InvalidRequest
from omium.ids import derived_id, is_id
from omium.jsonvalue import JsonValue, canonical_bytes, digest, digest_record, json_bytes
from omium.models.replay import Edit, ReplayExecution
from omium.server.engine.grants import Taker, make_taker
from omium.server.engine.values import PackedValue, StoredValue, Vault
from omium.server.principal import Principal

TOKEN_CHARACTERS_MIN = 22  # 128 bits in base64


@dataclass(frozen=True, slots=True)
class PackedReplay:
    """A replay made ready before its transaction: values packed, in the order of the edits and decisions."""

    principal: Principal
    source_id: str
    command: ReplayExecution
    id: str
    input: PackedValue | None
    input_digest: str | None
    outputs: dict[str, PackedValue]
    states: dict[str, PackedValue]
    decided: dict[str, PackedValue]
    edits: bytes | None
    taker: Taker | None
    metered: bool = False

    @property
    def request_digest(self) -> str:
        """What makes two requests the same replay; the token and who drives are not part of it."""
        ignored = {"plan_token", "lease_token", "process", "code", "id"}
        asked = self.command.model_dump(mode="json", exclude=ignored)
        return digest(canonical_bytes(["replay", self.source_id, asked]))


def pack_replay(
    vault: Vault,
    principal: Principal,
    source_id: str,
    command: ReplayExecution,
    recorded_input: StoredValue,
    idempotency_key: str | None,
    *,
    metered: bool = False,
) -> PackedReplay:
    """Make a replay ready; raises `InvalidRequest` and `PayloadTooLarge`."""

    def pack(value: object, what: str) -> PackedValue:
        return vault.pack(principal.tenant_id, cast("JsonValue", value), what=what)

    edited = _edit_input(command.edits, vault.open_value(principal.tenant_id, recorded_input))
    outputs = {edit.path: edit.value for edit in command.edits if edit.target == "output"}
    states = {edit.path: edit.value for edit in command.edits if edit.target == "state"}
    decided = {each.path: each.output for each in command.decisions}
    edits: list[JsonValue] = [edit.model_dump(mode="json", exclude={"value"}) for edit in command.edits]
    return PackedReplay(
        principal=principal,
        source_id=source_id,
        command=command,
        id=_make_id(principal, source_id, command, idempotency_key),
        input=None if edited is None else pack(edited, "The edited input"),
        input_digest=None if edited is None else _digest_input(edited),
        outputs={path: pack(value, f"The edited output of {path}") for path, value in outputs.items()},
        states={name: pack(value, f"The edited state of {name}") for name, value in states.items()},
        decided={path: pack(value, f"The output of {path}") for path, value in decided.items()},
        edits=json_bytes(edits) if edits else None,
        taker=_make_taker(principal, command),
        metered=metered,
    )


def _edit_input(edits: list[Edit], recorded: JsonValue) -> JsonValue | None:
    """Return the input with every edit in it, None where none touches it."""
    touching = [edit for edit in edits if edit.target == "input"]
    if not touching:
        return None
    edited = recorded
    for edit in sorted(touching, key=lambda edit: edit.path):  # the whole comes before its parameters
        if not edit.path:
            edited = cast("JsonValue", edit.value)
        elif isinstance(edited, dict):
            edited = {**edited, edit.path: cast("JsonValue", edit.value)}
        else:
            raise InvalidRequest(
                f"The input has no parameters, so {edit.path!r} cannot be edited; edit it whole."
            )
    return edited


def _digest_input(value: JsonValue) -> str:
    return digest_record(value) if isinstance(value, dict) else digest(canonical_bytes(value))


def _make_id(
    principal: Principal, source_id: str, command: ReplayExecution, idempotency_key: str | None
) -> str:
    if command.id is not None:
        if not is_id(command.id, "ex"):
            raise InvalidRequest("An execution's id looks like ex_01k9... (omium.ids.new_id).")
        return command.id
    if idempotency_key is None:
        raise InvalidRequest("Give the replay an id, or send an Idempotency-Key: it must be repeatable.")
    return derived_id("ex", "replay", principal.tenant_id, principal.id, source_id, idempotency_key)


def _make_taker(principal: Principal, command: ReplayExecution) -> Taker | None:
    if command.process is None:
        return None
    token = command.lease_token
    if token is None or len(token) < TOKEN_CHARACTERS_MIN:
        raise InvalidRequest(
            f"To drive the replay yourself, send a lease_token of {TOKEN_CHARACTERS_MIN} random characters."
        )
    return make_taker(principal.id, token, command.process, command.code)
