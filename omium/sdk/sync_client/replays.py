"""Calls about going on differently: replay, rollback, effects and compensations.

Generated from omium/sdk/async_client by tools/generate_sync_client.py: edit there.
"""

from __future__ import annotations

from omium.models.execution import Execution
from omium.models.replay import (
    CompensationView,
    DecideEffect,
    EffectView,
    PlanReplay,
    PlanRollback,
    ReplayAnswer,
    ReplayExecution,
    ReplayPlan,
    RollbackAnswer,
    RollbackExecution,
    RollbackPlan,
    SkipCompensations,
)
from omium.models.wire import Page
from omium.sdk.sync_client.core import SyncCore, segment


class SyncReplays(SyncCore):
    """Replay, rollback, effects."""

    def plan_replay(self, execution_id: str, command: PlanReplay | None = None) -> ReplayPlan:
        """Return what a replay would reuse, re-run or be blocked by; nothing runs."""
        path = f"/v1/executions/{segment(execution_id)}/plan"
        return self._send("POST", path, ReplayPlan, command or PlanReplay())

    def replay_execution(
        self, execution_id: str, command: ReplayExecution | None = None, *, idempotency_key: str | None = None
    ) -> ReplayAnswer:
        """Start a new execution from the checkpoints of another one."""
        path = f"/v1/executions/{segment(execution_id)}/replay"
        command = command or ReplayExecution()
        return self._send("POST", path, ReplayAnswer, command, idempotency_key=idempotency_key)

    def plan_rollback(self, execution_id: str, command: PlanRollback) -> RollbackPlan:
        """Return what going back would supersede, compensate and leave; nothing changes."""
        path = f"/v1/executions/{segment(execution_id)}/rollback/plan"
        return self._send("POST", path, RollbackPlan, command)

    def rollback_execution(
        self, execution_id: str, command: RollbackExecution, *, idempotency_key: str | None = None
    ) -> RollbackAnswer:
        """Go back in the same execution; it stays paused until it is resumed."""
        path = f"/v1/executions/{segment(execution_id)}/rollback"
        return self._send("POST", path, RollbackAnswer, command, idempotency_key=idempotency_key)

    def list_effects(
        self, execution_id: str, *, limit: int = 50, after: str | None = None
    ) -> Page[EffectView]:
        """Return one page of an execution's effects."""
        path = f"/v1/executions/{segment(execution_id)}/effects"
        return self._get(path, Page[EffectView], {"limit": limit, "after": after})

    def decide_effect(
        self,
        execution_id: str,
        effect_key: str,
        command: DecideEffect,
        *,
        idempotency_key: str | None = None,
    ) -> EffectView:
        """Confirm, redo or skip an effect whose outcome is unknown."""
        path = f"/v1/executions/{segment(execution_id)}/effects/{segment(effect_key)}/decide"
        return self._send("POST", path, EffectView, command, idempotency_key=idempotency_key)

    def list_compensations(
        self, execution_id: str, *, limit: int = 50, after: str | None = None
    ) -> Page[CompensationView]:
        """Return one page of the compensations of an execution's rollbacks."""
        path = f"/v1/executions/{segment(execution_id)}/compensations"
        return self._get(path, Page[CompensationView], {"limit": limit, "after": after})

    def skip_compensations(
        self, execution_id: str, command: SkipCompensations, *, idempotency_key: str | None = None
    ) -> Execution:
        """Skip the compensations that have not ended, so that the execution can be resumed."""
        path = f"/v1/executions/{segment(execution_id)}/compensations/skip"
        return self._send("POST", path, Execution, command, idempotency_key=idempotency_key)
