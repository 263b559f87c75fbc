"""Calls about schedules and triggers: what starts workflows by itself.

Generated from omium/sdk/async_client by tools/generate_sync_client.py: edit there.
"""

from __future__ import annotations

from omium.models.schedules import CreateSchedule, CreateTrigger, Fire, NewTrigger, Schedule, Trigger
from omium.models.wire import Page
from omium.sdk.sync_client.core import SyncCore, segment


class SyncAutomation(SyncCore):
    """Workflows that start at certain times, for a webhook, or after another one."""

    def create_schedule(self, command: CreateSchedule, *, idempotency_key: str | None = None) -> Schedule:
        """Start a workflow again and again."""
        return self._send("POST", "/v1/schedules", Schedule, command, idempotency_key=idempotency_key)

    def list_schedules(self, *, limit: int = 50, after: str | None = None) -> Page[Schedule]:
        """Return one page of the schedules, by environment and name."""
        return self._get("/v1/schedules", Page[Schedule], {"limit": limit, "after": after})

    def get_schedule(self, schedule_id: str) -> Schedule:
        """Return a schedule with its next times."""
        return self._get(f"/v1/schedules/{segment(schedule_id)}", Schedule)

    def list_schedule_fires(
        self, schedule_id: str, *, limit: int = 50, after: str | None = None
    ) -> Page[Fire]:
        """Return one page of the times at which a schedule came to start something, newest first."""
        path = f"/v1/schedules/{segment(schedule_id)}/fires"
        return self._get(path, Page[Fire], {"limit": limit, "after": after})

    def pause_schedule(self, schedule_id: str, *, idempotency_key: str | None = None) -> Schedule:
        """Pause a schedule; what it started goes on."""
        path = f"/v1/schedules/{segment(schedule_id)}/pause"
        return self._send("POST", path, Schedule, idempotency_key=idempotency_key)

    def resume_schedule(self, schedule_id: str, *, idempotency_key: str | None = None) -> Schedule:
        """Let a paused schedule go on with its next time."""
        path = f"/v1/schedules/{segment(schedule_id)}/resume"
        return self._send("POST", path, Schedule, idempotency_key=idempotency_key)

    def run_schedule(self, schedule_id: str, *, idempotency_key: str | None = None) -> Fire:
        """Start a schedule's workflow at once; the reply says what became of it."""
        path = f"/v1/schedules/{segment(schedule_id)}/run"
        return self._send("POST", path, Fire, idempotency_key=idempotency_key)

    def delete_schedule(self, schedule_id: str) -> None:
        """Delete a schedule; what it started goes on."""
        self._send("DELETE", f"/v1/schedules/{segment(schedule_id)}", None)

    def create_trigger(self, command: CreateTrigger, *, idempotency_key: str | None = None) -> NewTrigger:
        """Start a workflow for a webhook or after another one; a secret is in the reply and nowhere else."""
        return self._send("POST", "/v1/triggers", NewTrigger, command, idempotency_key=idempotency_key)

    def list_triggers(self, *, limit: int = 50, after: str | None = None) -> Page[Trigger]:
        """Return one page of the triggers, by environment and name."""
        return self._get("/v1/triggers", Page[Trigger], {"limit": limit, "after": after})

    def get_trigger(self, trigger_id: str) -> Trigger:
        """Return a trigger."""
        return self._get(f"/v1/triggers/{segment(trigger_id)}", Trigger)

    def list_trigger_fires(self, trigger_id: str, *, limit: int = 50, after: str | None = None) -> Page[Fire]:
        """Return one page of the times at which a trigger came to start something, newest first."""
        path = f"/v1/triggers/{segment(trigger_id)}/fires"
        return self._get(path, Page[Fire], {"limit": limit, "after": after})

    def rotate_trigger(self, trigger_id: str, *, idempotency_key: str | None = None) -> NewTrigger:
        """Give a webhook's trigger a new secret, which is in the reply and nowhere else."""
        path = f"/v1/triggers/{segment(trigger_id)}/rotate"
        return self._send("POST", path, NewTrigger, idempotency_key=idempotency_key)

    def delete_trigger(self, trigger_id: str) -> None:
        """Delete a trigger; what it started goes on."""
        self._send("DELETE", f"/v1/triggers/{segment(trigger_id)}", None)
