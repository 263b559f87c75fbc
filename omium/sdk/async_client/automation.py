"""Calls about schedules and triggers: what starts workflows by itself."""

from __future__ import annotations

from omium.models.schedules import CreateSchedule, CreateTrigger, Fire, NewTrigger, Schedule, Trigger
from omium.models.wire import Page
from omium.sdk.async_client.core import AsyncCore, segment


class AsyncAutomation(AsyncCore):
    """Workflows that start at certain times, for a webhook, or after another one."""

    async def create_schedule(
        self, command: CreateSchedule, *, idempotency_key: str | None = None
    ) -> Schedule:
        """Start a workflow again and again."""
        return await self._send("POST", "/v1/schedules", Schedule, command, idempotency_key=idempotency_key)

    async def list_schedules(self, *, limit: int = 50, after: str | None = None) -> Page[Schedule]:
        """Return one page of the schedules, by environment and name."""
        return await self._get("/v1/schedules", Page[Schedule], {"limit": limit, "after": after})

    async def get_schedule(self, schedule_id: str) -> Schedule:
        """Return a schedule with its next times."""
        return await self._get(f"/v1/schedules/{segment(schedule_id)}", Schedule)

    async def list_schedule_fires(
        self, schedule_id: str, *, limit: int = 50, after: str | None = None
    ) -> Page[Fire]:
        """Return one page of the times at which a schedule came to start something, newest first."""
        path = f"/v1/schedules/{segment(schedule_id)}/fires"
        return await self._get(path, Page[Fire], {"limit": limit, "after": after})

    async def pause_schedule(self, schedule_id: str, *, idempotency_key: str | None = None) -> Schedule:
        """Pause a schedule; what it started goes on."""
        path = f"/v1/schedules/{segment(schedule_id)}/pause"
        return await self._send("POST", path, Schedule, idempotency_key=idempotency_key)

    async def resume_schedule(self, schedule_id: str, *, idempotency_key: str | None = None) -> Schedule:
        """Let a paused schedule go on with its next time."""
        path = f"/v1/schedules/{segment(schedule_id)}/resume"
        return await self._send("POST", path, Schedule, idempotency_key=idempotency_key)

    async def run_schedule(self, schedule_id: str, *, idempotency_key: str | None = None) -> Fire:
        """Start a schedule's workflow at once; the reply says what became of it."""
        path = f"/v1/schedules/{segment(schedule_id)}/run"
        return await self._send("POST", path, Fire, idempotency_key=idempotency_key)

    async def delete_schedule(self, schedule_id: str) -> None:
        """Delete a schedule; what it started goes on."""
        await self._send("DELETE", f"/v1/schedules/{segment(schedule_id)}", None)

    async def create_trigger(
        self, command: CreateTrigger, *, idempotency_key: str | None = None
    ) -> NewTrigger:
        """Start a workflow for a webhook or after another one; a secret is in the reply and nowhere else."""
        return await self._send("POST", "/v1/triggers", NewTrigger, command, idempotency_key=idempotency_key)

    async def list_triggers(self, *, limit: int = 50, after: str | None = None) -> Page[Trigger]:
        """Return one page of the triggers, by environment and name."""
        return await self._get("/v1/triggers", Page[Trigger], {"limit": limit, "after": after})

    async def get_trigger(self, trigger_id: str) -> Trigger:
        """Return a trigger."""
        return await self._get(f"/v1/triggers/{segment(trigger_id)}", Trigger)

    async def list_trigger_fires(
        self, trigger_id: str, *, limit: int = 50, after: str | None = None
    ) -> Page[Fire]:
        """Return one page of the times at which a trigger came to start something, newest first."""
        path = f"/v1/triggers/{segment(trigger_id)}/fires"
        return await self._get(path, Page[Fire], {"limit": limit, "after": after})

    async def rotate_trigger(self, trigger_id: str, *, idempotency_key: str | None = None) -> NewTrigger:
        """Give a webhook's trigger a new secret, which is in the reply and nowhere else."""
        path = f"/v1/triggers/{segment(trigger_id)}/rotate"
        return await self._send("POST", path, NewTrigger, idempotency_key=idempotency_key)

    async def delete_trigger(self, trigger_id: str) -> None:
        """Delete a trigger; what it started goes on."""
        await self._send("DELETE", f"/v1/triggers/{segment(trigger_id)}", None)
