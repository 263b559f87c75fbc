"""Lost effects: announced, never reported, their driver gone. Nobody can tell; a person is asked (2.7).

Owns the question: the state `unknown`, its event, its inbox item, and closing that item when an answer comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omium.server.db.tx import Tx
from omium.server.engine.failures import close_in_group, lock_groups, record_occurrence
from omium.server.engine.mishaps import PackedError, make_error
from omium.server.engine.transitions import append_event
from omium.server.store import effects, failures
from omium.server.store.executions import ExecutionRow
from omium.states import EventType, FailureKind, FailureStatus

Coming = tuple[str, str, Mapping[str, object]]  # kind, path, error


def cut_off(tx: Tx, row: ExecutionRow, coming: Sequence[Coming] = ()) -> ExecutionRow:
    """Make every effect that was announced and not reported unknown, with an event and an inbox item each.

    Called wherever a driver stops being one: its lease ran out, it gave the execution back, or another one is
    granted. A second call finds none. Effects whose receiver honours keys are left: they may be called again.
    `coming` are the failures that the caller records after this: all their groups are locked in one order.
    """
    lost = effects.cut_off_effects(tx, row.id)
    questions = [(effect, lost_between(effect.path)) for effect in lost]
    asked: list[Coming] = [
        (FailureKind.EFFECT_UNKNOWN, effect.path, error.info) for effect, error in questions
    ]
    lock_groups(tx, row, [*asked, *coming])
    for effect, error in questions:
        row = append_event(
            tx, row, EventType.EFFECT_UNKNOWN, {"path": effect.path, "effect_key": effect.effect_key}
        )
        open_question(tx, row, effect.path, error)
    return row


def open_question(tx: Tx, row: ExecutionRow, path: str, error: PackedError) -> None:
    """Open the inbox item of the effect at `path`; the row's last event is the one that says so."""
    record_occurrence(tx, row, kind=FailureKind.EFFECT_UNKNOWN, path=path, seq=row.last_seq, error=error.info)


def close_question(tx: Tx, row: ExecutionRow, path: str, *, by: str, reason: str) -> None:
    """Close the open inbox items of the effect at `path`: its outcome is known now."""
    for occurrence in failures.list_open_of_execution(tx, row.id, 0):
        if occurrence.path != path:
            continue
        group = failures.find_failure(tx, row.tenant_id, occurrence.failure_id)
        if group is not None and group.kind == FailureKind.EFFECT_UNKNOWN:
            close_in_group(
                tx,
                row.tenant_id,
                group.id,
                [occurrence.id],
                status=FailureStatus.RESOLVED,
                by=by,
                reason=reason,
            )


def lost_between(path: str) -> PackedError:
    """Return the error of an effect whose driver was lost between intent and result."""
    return make_error(
        "EffectUnknown",
        f"The driver was lost after it announced the effect {path}, before it said what became of it.",
        code="effect-unknown",
    )
