"""Incoming webhooks: signed as Standard Webhooks says, within five minutes, each message once.

    webhook-id, webhook-timestamp, webhook-signature: `v1,` + base64 HMAC-SHA-256 of "id.timestamp.body"

A message that is refused by its signature or time leaves nothing behind. One that was taken is a row with its
id: the same id again is answered as the first time, whatever its body.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Final

from omium.clock import US_PER_S
from omium.errors import InvalidJson, InvalidRequest, SignatureRefused
from omium.jsonvalue import MAX_VALUE_BYTES, JsonValue, parse_json
from omium.server.db.tx import Tx
from omium.server.engine.parts import EngineParts
from omium.server.outbound.signing import sign
from omium.server.schedules.starting import refuse, start_once
from omium.server.schedules.triggers import open_secrets, origin_of, read_inputs
from omium.server.seal import KeyFile
from omium.server.store import triggers as store
from omium.server.store.fires import FireRow
from omium.server.store.triggers import TriggerRow
from omium.spec.references import ReferenceInvalid, ReferenceUnavailable, is_larger, look_inside, resolve

TOLERANCE_S: Final = 300
ID_MAX: Final = 200
BODY_BYTES_MAX: Final = 256 * 1024
_REFUSED: Final = (
    "There is no such trigger, or the message's signature, id or time does not fit; sign it as Standard"
    " Webhooks says, with the trigger's secret, and send it within five minutes."
)


class MappingUnfit(Exception):
    """A mapping reads what an event does not have; the message is a sentence."""


def receive(
    tx: Tx, parts: EngineParts, keys: KeyFile, trigger_id: str, headers: Mapping[str, str], body: bytes
) -> FireRow:
    """Start the trigger's workflow with a message; raises `SignatureRefused`, `InvalidRequest`."""
    row, message_id = verify(tx, keys, trigger_id, headers, body)
    try:
        parsed = parse_json(body) if body else None
    except InvalidJson as invalid:
        raise InvalidRequest(f"The body is not JSON: {invalid}") from None
    origin, key = origin_of(row), f"message:{message_id}"
    try:
        value = make_value(read_inputs(tx, parts, row), {"body": parsed, "id": message_id}, parsed)
    except MappingUnfit as unfit:
        return refuse(tx, origin, key, tx.now_us, "mapping-unfit", str(unfit))
    return start_once(tx, parts, origin, key, tx.now_us, value)


def verify(
    tx: Tx, keys: KeyFile, trigger_id: str, headers: Mapping[str, str], body: bytes
) -> tuple[TriggerRow, str]:
    """Return the trigger and the message's id, or raise `SignatureRefused`; reads only."""
    row = store.find_trigger(tx, trigger_id)
    if row is None or row.sealed is None:
        raise SignatureRefused(_REFUSED)
    return row, check_signature(open_secrets(keys, row, tx.now_us), headers, body, tx.now_us)


def check_signature(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_us: int) -> str:
    """Return the message's id, or raise `SignatureRefused`; takes the same time for every secret."""
    message_id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    timely = sent.isascii() and sent.isdigit() and len(sent) < 16
    if not message_id or len(message_id) > ID_MAX or not message_id.isascii() or not timely:
        raise SignatureRefused(_REFUSED)
    if abs(int(sent) - now_us // US_PER_S) > TOLERANCE_S:
        raise SignatureRefused(_REFUSED)
    expected = sign(secrets, message_id, int(sent), body)["webhook-signature"].split()
    given = headers.get("webhook-signature", "").split()[:10]
    fits = [hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in given]
    if not any(fits):
        raise SignatureRefused(_REFUSED)
    return message_id


def make_value(mapping: JsonValue, event: Mapping[str, JsonValue], otherwise: JsonValue) -> JsonValue:
    """Return the input that a mapping makes of an event; without one `otherwise`. Raises `MappingUnfit`."""
    if mapping is None:
        return otherwise
    try:
        value = resolve(mapping, lambda path: look_inside(dict(event), path))
    except (ReferenceUnavailable, ReferenceInvalid) as missing:
        raise MappingUnfit(f"The mapping does not fit this event: {missing}") from None
    if is_larger(value, MAX_VALUE_BYTES):
        raise MappingUnfit(f"The mapping makes more than {MAX_VALUE_BYTES} bytes of JSON of this event.")
    return value
