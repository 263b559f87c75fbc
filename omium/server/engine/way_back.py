"""The way back to an event: what a rollback would supersede, compensate and leave behind.

Owns finding the target and everything after it; only reads. Refuses where the outcome of something after the
target is not known yet. The rollback itself is rollback.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from omium.errors import CheckpointGone, EffectUnresolved, IllegalTransition, InvalidRequest
from omium.models.replay import PlanRollback, RollbackPlan
from omium.server.db.tx import Tx
from omium.server.engine.observed import refuse_observed
from omium.server.engine.transitions import illegal_transition
from omium.server.store import checkpoints as checkpoint_store
from omium.server.store import compensations as compensation_store
from omium.server.store import lineage
from omium.server.store import rollbacks as store
from omium.server.store.effects import EffectRow, find_effect
from omium.server.store.executions import ExecutionRow
from omium.server.store.retention import RETIRED
from omium.server.store.trees import Below
from omium.states import FINAL_STATUSES, ROLLBACK_STATUSES, Driver, ExecutionStatus

CHILD_DEPTH_MAX = 16
CHILDREN_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Undone:
    """An effect that the rollback leaves behind; `path` is seen from the execution that is rolled back."""

    path: str
    effect: EffectRow


@dataclass(frozen=True, slots=True)
class Way:
    """The way back to event `to_seq`: everything that a plan shows and a rollback does."""

    to_seq: int
    completed: list[store.CompletedStep]
    unfinished: list[str]
    effects: list[Undone]  # the newest first
    children: list[ExecutionRow]

    @property
    def compensable(self) -> list[Undone]:
        return [each for each in self.effects if each.effect.compensate]

    def as_plan(self, execution_id: str) -> RollbackPlan:
        return RollbackPlan(
            execution_id=execution_id,
            to_seq=self.to_seq,
            superseded_steps=[step.path for step in self.completed if step.kind != "compensation"]
            + self.unfinished,
            compensations=[each.path for each in self.compensable],
            uncompensated=[each.path for each in self.effects if not each.effect.compensate],
            cancelled_children=[child.id for child in self.children if is_open(child)],
        )


def find_way(tx: Tx, row: ExecutionRow, command: PlanRollback) -> Way:
    refuse_observed(tx, row, "rolled back")
    if ExecutionStatus(row.status) not in ROLLBACK_STATUSES:
        raise illegal_transition(row, ExecutionStatus.PAUSED)
    if row.reason == RETIRED:
        raise CheckpointGone(f"Retention is removing what {row.id} has recorded.")
    to_seq = _find_target(tx, row, command)
    history = store.list_history(tx, row.id, to_seq)
    failed = {json.loads(event.data).get("path") for event in history if event.type.startswith("step.")}
    children = _list_children_after(tx, row, history)
    refuse_running(children)
    _refuse_undecided(tx, row, to_seq, children)
    effects = list(_list_effects(tx, row, to_seq, children))
    return Way(
        to_seq=to_seq,
        completed=store.list_completed_after(tx, row.id, to_seq),
        unfinished=[path for path in store.list_unfinished(tx, row.id) if path in failed],
        effects=effects + _list_left_over(tx, row, effects),
        children=children,
    )


def _find_target(tx: Tx, row: ExecutionRow, command: PlanRollback) -> int:
    chosen = [command.to_seq is not None, command.to_step is not None, command.to_checkpoint is not None]
    if sum(chosen) != 1:
        raise InvalidRequest("Say where to go back to: exactly one of to_seq, to_step and to_checkpoint.")
    if command.to_step is not None:
        return _before_step(tx, row, command.to_step)
    if command.to_checkpoint is not None:
        return _after_checkpoint(tx, row, command.to_checkpoint)
    assert command.to_seq is not None
    if not 1 <= command.to_seq <= row.last_seq:
        raise InvalidRequest(f"{row.id} has the events 1 to {row.last_seq}; to_seq must be one of them.")
    return command.to_seq


def _before_step(tx: Tx, row: ExecutionRow, path: str) -> int:
    """Return the last event before the first thing that is recorded at `path` or inside it."""
    within = [step.completed_seq for step in store.list_completed_within(tx, row.id, path)]
    if row.driver == Driver.ENGINE:
        within += [step.completed_seq for step in store.list_completed_items(tx, row.id, path)]
        within += _list_child_starts(tx, row, path)
    if within:
        return min(within) - 1
    tries = [
        event.seq
        for event in store.list_history(tx, row.id, 0)
        if event.type.startswith("step.") and json.loads(event.data).get("path") == path
    ]
    if tries and path in store.list_unfinished(tx, row.id):
        return tries[-1] - 1
    known = [  # confirmed by a person, or reported late, and not recorded as a step since
        effect.done_seq
        for effect in store.list_done_effects(tx, row.id, 0)
        if effect.path == path and effect.generation == row.generation and effect.done_seq is not None
    ]
    if known:
        return min(known) - 1
    raise InvalidRequest(
        f"{row.id} has no step {path!r} to go back to; `omium executions show` lists its steps."
    )


def _list_child_starts(tx: Tx, row: ExecutionRow, path: str) -> list[int]:
    """List where the subworkflow at `path`, or those in the map there, began; none that was cancelled."""
    alive = {child.id for child in _list_children(tx, row) if child.status != ExecutionStatus.CANCELLED}
    found = []
    for event in store.list_history(tx, row.id, 0):
        facts = json.loads(event.data)
        at = str(facts.get("path"))
        if facts.get("child_id") in alive and (at == path or at.startswith((f"{path}[", f"{path}/"))):
            found.append(event.seq)
    return found


def _after_checkpoint(tx: Tx, row: ExecutionRow, name_or_id: str) -> int:
    by_id = checkpoint_store.find_checkpoint(tx, row.id, name_or_id)
    if by_id is not None and by_id.superseded_seq is None:
        return by_id.seq
    for saved in checkpoint_store.list_newest(tx, row.id):
        if saved.name == name_or_id:
            return saved.seq
    raise InvalidRequest(f"{row.id} has no checkpoint {name_or_id!r}; `omium executions show` lists them.")


def _list_children_after(tx: Tx, row: ExecutionRow, history: list[store.EventData]) -> list[ExecutionRow]:
    started = {json.loads(event.data).get("child_id") for event in history if event.type == "child.started"}
    return [child for child in _list_children(tx, row) if child.id in started]


def _list_children(tx: Tx, row: ExecutionRow) -> list[ExecutionRow]:
    return lineage.list_children(tx, row.tenant_id, row.id, limit=CHILDREN_MAX)


def refuse_running(children: Sequence[ExecutionRow] | Sequence[Below]) -> None:
    for child in children:
        if child.status == ExecutionStatus.RUNNING:
            raise IllegalTransition(
                f"{child.id}, a child that was started after that point, still runs; cancel it, or wait.",
                status_now=child.status,
                allowed=[],
            )


def _refuse_undecided(tx: Tx, row: ExecutionRow, to_seq: int, children: list[ExecutionRow]) -> None:
    undecided = store.list_undecided_effects(tx, row.id, to_seq)
    for child in children:
        undecided += store.list_undecided_effects(tx, child.id, 0)
    if undecided:
        raise EffectUnresolved(
            f"What became of {len(undecided)} effect(s) after that point is unknown; decide each first.",
            execution_id=row.id,
            effects=[{"effect_key": each.effect_key, "key": each.path} for each in undecided],
        )


def _list_effects(
    tx: Tx, row: ExecutionRow, to_seq: int, children: list[ExecutionRow], depth: int = 0
) -> Iterator[Undone]:
    """Yield what is to be undone, the newest first; a child's effects stand where the child ended.

    A child that has not ended stands where it was started: nothing is known to have come after it.
    """
    skipped = store.list_skipped_keys(tx, row.id)
    done = store.list_done_effects(tx, row.id, to_seq)
    own = [each for each in done if each.effect_key not in skipped]
    ended = {step.path: step.completed_seq for step in store.list_completed_after(tx, row.id, to_seq)}
    items: list[tuple[int, EffectRow | ExecutionRow]] = [(each.done_seq or 0, each) for each in own]
    items += [(ended.get(child.parent_path or "", row.last_seq), child) for child in children]
    for _, item in sorted(items, key=lambda pair: pair[0], reverse=True):
        if isinstance(item, EffectRow):
            yield Undone(item.path, item)
        elif depth < CHILD_DEPTH_MAX:
            for undone in _list_effects(tx, item, 0, _list_children(tx, item), depth + 1):
                yield Undone(f"{item.parent_path}/{undone.path}", undone.effect)


def _list_left_over(tx: Tx, row: ExecutionRow, listed: list[Undone]) -> list[Undone]:
    """List what a former rollback has yet to compensate and this one does not reach; it's older."""
    keys = {each.effect.effect_key for each in listed}
    pending = compensation_store.list_pending(tx, row.tenant_id, row.id, row.generation)
    found = [
        (each.path.removeprefix("~"), each.effect_key) for each in pending if each.effect_key not in keys
    ]
    effects = [(path, find_effect(tx, row.tenant_id, key)) for path, key in found]
    return [Undone(path, effect) for path, effect in effects if effect is not None]


def is_open(row: ExecutionRow) -> bool:
    return ExecutionStatus(row.status) not in FINAL_STATUSES | {ExecutionStatus.FAILED}
