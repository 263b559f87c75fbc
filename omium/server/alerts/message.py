"""Messages: what a delivery says, for programs (JSON) and for people (a subject and a text).

Pure. The JSON is Standard Webhooks' form: `type`, `timestamp`, `data`; docs/alerts.md describes it.
"""

from __future__ import annotations

import datetime as dt
import json

from omium.jsonvalue import JsonValue, json_bytes
from omium.safetext import safe_text
from omium.server.store.alerts import DeliveryRow, RuleRow

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def body_of(rule: RuleRow, delivery: DeliveryRow) -> bytes:
    """Return the JSON that webhooks and commands get: the same for every attempt."""
    return json_bytes(
        {
            "type": delivery.kind,
            "timestamp": _iso(delivery.created_us),
            "data": {
                "delivery_id": delivery.id,
                "rule_id": rule.id,
                "rule": rule.name,
                "tenant_id": rule.tenant_id,
                "count": delivery.facts,
                "first_at_us": delivery.first_us,
                "last_at_us": delivery.last_us,
                "items": items_of(delivery),
            },
        }
    )


def items_of(delivery: DeliveryRow) -> list[JsonValue]:
    """Return the first facts of the message."""
    found = json.loads(delivery.items)
    assert isinstance(found, list)
    return found


def subject_of(rule: RuleRow, delivery: DeliveryRow) -> str:
    """Return one line for people."""
    times = f" ({delivery.facts} times)" if delivery.facts > 1 else ""
    return f"[Omium] {delivery.kind}{times}: {safe_text(rule.name)}"


def text_of(rule: RuleRow, delivery: DeliveryRow) -> str:
    """Return what people read."""
    items = json.loads(delivery.items)
    lines = [f"{item['text']} ({item['subject']}, {_iso(item['at_us'])})" for item in items]
    if delivery.facts > len(items):
        lines.append(f"... and {delivery.facts - len(items)} more.")
    lines += ["", f"Rule: {safe_text(rule.name)} ({rule.id}). Message: {delivery.id}."]
    return "\n".join(lines) + "\n"


def _iso(at_us: int) -> str:
    return (_EPOCH + dt.timedelta(microseconds=at_us)).isoformat().replace("+00:00", "Z")
