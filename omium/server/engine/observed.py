"""Observed executions: seen through OpenTelemetry, run by nobody whom Omium could ask to stop or to go on."""

from __future__ import annotations

from omium.errors import IllegalTransition
from omium.server.store.executions import ExecutionRow
from omium.states import Driver


def refuse_observed(row: ExecutionRow, what: str) -> None:
    """Raise `IllegalTransition` for an observed execution; `what` says what cannot be done with it."""
    if row.driver == Driver.OBSERVED:
        raise IllegalTransition(
            f"{row.id} was only observed through OpenTelemetry: Omium did not run it, so it cannot be {what}."
            " Run it again where it ran; docs/opentelemetry.md says how to make it durable.",
            status_now=row.status,
            allowed=[],
        )
