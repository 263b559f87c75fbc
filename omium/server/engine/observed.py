"""Observed executions: seen through OpenTelemetry, or imported; Omium can ask nobody to stop or to go on."""

from __future__ import annotations

from omium.errors import IllegalTransition
from omium.server.db.tx import Tx
from omium.server.store.executions import ExecutionRow
from omium.server.store.labels import find_labels
from omium.states import Driver


def refuse_observed(tx: Tx, row: ExecutionRow, what: str) -> None:
    """Raise `IllegalTransition` for an observed execution; `what` says what cannot be done with it."""
    if row.driver == Driver.OBSERVED:
        seen, instead = _explain_row(tx, row)
        raise IllegalTransition(
            f"{row.id} was only {seen}: Omium did not run it, so it cannot be {what}. {instead}",
            status_now=row.status,
            allowed=[],
        )


def say_instead(tx: Tx, row: ExecutionRow) -> str | None:
    """Return what goes on with an observed execution, as Omium cannot; None for any other."""
    return _explain_row(tx, row)[1] if row.driver == Driver.OBSERVED else None


def _explain_row(tx: Tx, row: ExecutionRow) -> tuple[str, str]:
    labels = find_labels(tx, row.id)
    return _explain(labels.list_tags(), labels.business_key or "") if labels else _SEEN


_SEEN = (
    "observed through OpenTelemetry",
    "Run it again where it ran; docs/opentelemetry.md says how to make it durable.",
)


def _explain(tags: list[str], run_id: str) -> tuple[str, str]:
    """Return where it came from, and what goes on with such a run."""
    if "langgraph" in tags:
        instead = (
            "Its checkpoints are in that store; its thread goes on under Omium with"
            f" instrument(graph).take_thread(saver, {run_id!r}), then invoke(None, ...) on that thread:"
            " docs/attach.md."
        )
        return "imported from a store of LangGraph's", instead
    if "crewai" in tags:
        instead = (
            "CrewAI's checkpoints hold agents whole, with the keys of their models, and no record of the"
            " tools that ran since, so nothing is taken out of them. Go on with CrewAI's own"
            " from_checkpoint, or begin anew under Omium with its input: docs/attach.md."
        )
        return "imported from a store of CrewAI's", instead
    return "imported", "Run it again where it ran: docs/attach.md."
