"""Approvals as people see them: what is asked, of which execution, until when.

Reads only. Deciding is nodes/deciding.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from omium.jsonvalue import JsonValue, json_bytes
from omium.models.approval import Approval
from omium.server.db.tx import Tx
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import StoredValue, fetch_values
from omium.server.engine.views import view_value
from omium.server.store import approvals, engine_runs
from omium.server.store.activations import ActivationRow
from omium.spec.templates import UnknownName, measure, render
from omium.states import Environment

MESSAGE_CHARACTERS_MAX: Final = 20_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What is read of one approval."""

    row: ActivationRow
    parameters: Mapping[str, JsonValue]
    values: Mapping[bytes, StoredValue]


def read_approvals(
    tx: Tx, parts: EngineParts, tenant_id: str, after: tuple[int, str, str], limit: int
) -> list[Asked]:
    """Return what waits for a person after `after`, the oldest first."""
    rows = approvals.list_waiting(tx, tenant_id, after, limit)
    values = fetch_values(tx, tenant_id, [row.input for row in rows])
    found = []
    for row in rows:
        definition = parts.definitions.get(tx, engine_runs.get_run(tx, row.execution_id))
        found.append(Asked(row, definition.node(row.scope, row.node).parameters, values))
    return found


def view_approval(parts: EngineParts, asked: Asked) -> Approval:
    """Return an approval as it travels; names in its message are those of its inputs."""
    row, parameters = asked.row, asked.parameters
    inputs = view_value(parts.vault, row.tenant_id, asked.values, row.input)
    default = parameters.get("default")
    return Approval(
        execution_id=row.execution_id,
        path=row.path,
        node=row.node,
        workflow=row.workflow,
        environment=Environment(row.environment),
        message=_render(str(parameters.get("message") or ""), inputs),
        inputs=inputs,
        asked_at_us=row.ready_us,
        expires_at_us=row.due_us,
        default=None if default is None else str(default),
    )


def _render(message: str, inputs: JsonValue) -> str:
    """Return the message with its names replaced; as it is written, and cut, where that is too long."""
    values = inputs if isinstance(inputs, dict) else {}
    lengths = {
        name: len(value if isinstance(value, str) else json_bytes(value)) for name, value in values.items()
    }
    if measure(message, lengths) > MESSAGE_CHARACTERS_MAX:
        return message[:MESSAGE_CHARACTERS_MAX]
    try:
        return render(message, values)
    except UnknownName:
        return message
