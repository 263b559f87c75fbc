"""Sources: everything that is recorded of an execution and counts for a replay of it. Only reads."""

from __future__ import annotations

import json
from dataclasses import dataclass

from omium.errors import CheckpointGone, IllegalTransition, InvalidRequest
from omium.server.db.tx import Tx
from omium.server.engine.observed import refuse_observed
from omium.server.engine.replay_versions import NativePinned, Pinned
from omium.server.store import checkpoints as checkpoint_store
from omium.server.store import details, replays, rollbacks, usage
from omium.server.store.checkpoints import CheckpointRow
from omium.server.store.details import DetailsRow
from omium.server.store.effects import EffectRow
from omium.server.store.executions import ExecutionRow
from omium.server.store.retention import RETIRED
from omium.server.store.steps import StepRow, list_live_steps
from omium.states import ExecutionStatus

STEPS_MAX = 100_000  # a replay is one transaction: docs/decisions/160-a-replay-is-one-transaction.md


@dataclass(frozen=True, slots=True)
class Source:
    """An execution as a replay sees it."""

    row: ExecutionRow
    details: DetailsRow
    steps: dict[str, StepRow]  # live ones, by path
    tried: dict[str, int]  # paths of failed tries, with the number of the last one's event
    checkpoints: list[CheckpointRow]
    effects: dict[str, EffectRow]  # the newest redo of each in the lineage, by path
    tokens: dict[str, int]
    pinned: Pinned | None = None
    """Of an execution that the engine drove: its spec, and the one that the replay runs on."""
    native: NativePinned | None = None
    """Of a framework's workflow that workers run: the version that the replay runs on."""

    @property
    def version(self) -> int | None:
        """Number of the version that the replay runs on; None for code alone."""
        runs_on = self.pinned or self.native
        return runs_on.version.number if runs_on is not None else None

    def seq_at(self, path: str) -> int:
        """Return the event at which `path` was completed or last failed; else one beyond the log."""
        step = self.steps.get(path)
        if step is not None and step.completed_seq is not None:
            return step.completed_seq
        return self.tried.get(path, self.row.last_seq + 1)

    def get_checkpoint(self, name: str) -> CheckpointRow:
        """Return the newest state under `name`, or the one with that id, or raise `InvalidRequest`."""
        for saved in reversed(self.checkpoints):
            if name in (saved.name, saved.id):
                return saved
        raise InvalidRequest(f"{self.row.id} has no checkpoint {name!r}; `omium executions show` lists them.")


def refuse_source(tx: Tx, row: ExecutionRow) -> None:
    """Raise `IllegalTransition` while it runs (its next step would not be in the plan), `CheckpointGone`."""
    refuse_observed(tx, row, "replayed")
    if row.status == ExecutionStatus.RUNNING:
        raise IllegalTransition(
            f"{row.id} is running; pause or cancel it, or wait for its end, then replay it.",
            status_now=row.status,
            allowed=[],
        )
    if row.reason == RETIRED:
        raise CheckpointGone(f"Retention is removing what {row.id} has recorded.")


def read_source(tx: Tx, row: ExecutionRow, pinned: Pinned | NativePinned | None = None) -> Source:
    """Read everything that is recorded of `row`; `InvalidRequest` if that is more than a replay copies."""
    live = list_live_steps(tx, row.id, limit=STEPS_MAX + 1)
    if len(live) > STEPS_MAX:
        raise InvalidRequest(
            f"{row.id} has recorded more than {STEPS_MAX:,} steps, the most that a replay copies; resume it, "
            "or start a new execution."
        )
    return Source(
        row=row,
        details=details.get_details(tx, row.id),
        steps={
            step.path: step
            for step in live
            if step.kind != "compensation"  # what undid an effect is nothing to reuse
        },
        tried=_read_tries(tx, row.id),
        checkpoints=[
            saved
            for saved in checkpoint_store.list_checkpoints(tx, row.id, limit=STEPS_MAX)
            if saved.superseded_seq is None
        ],
        effects=replays.find_newest_effects(tx, row.tenant_id, row.lineage_root),
        tokens={each.path: each.tokens for each in usage.sum_tokens_by_path(tx, row.tenant_id, row.id)},
        pinned=pinned if isinstance(pinned, Pinned) else None,
        native=pinned if isinstance(pinned, NativePinned) else None,
    )


def is_current(tx: Tx, source: Source, row: ExecutionRow) -> bool:
    """Say whether `source` is still what is recorded of `row`: neither its log nor its lineage went on."""
    if source.row != row:
        return False
    return replays.find_newest_effects(tx, row.tenant_id, row.lineage_root) == source.effects


def _read_tries(tx: Tx, execution_id: str) -> dict[str, int]:
    history = rollbacks.list_history(tx, execution_id, 0)
    return {json.loads(event.data)["path"]: event.seq for event in history if event.type.startswith("step.")}
