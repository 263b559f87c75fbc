"""Calls of processes that run user code, and about them: writes, claims, workers, slots, usage.

`omium.workflow` and `omium worker` write through a leaner way (transport/ports.py); these are for programs
that bring their own driver.
"""

from __future__ import annotations

from omium.models.driver import (
    Claimed,
    ClaimWork,
    FetchRecords,
    RecordValues,
    StopWorker,
    Worker,
    WriteAnswer,
    WriteBatch,
)
from omium.models.slot import Slot
from omium.models.usage import RecordUsage, UsageRecord
from omium.models.wire import Page
from omium.sdk.async_client.core import AsyncCore, segment


class AsyncDrivers(AsyncCore):
    """Drivers."""

    async def write(self, command: WriteBatch) -> WriteAnswer:
        """Write what drivers of this process have to say; each write is answered by itself."""
        return await self._send("POST", "/v1/writes", WriteAnswer, command, whole=True)

    async def fetch_recorded(self, execution_id: str, command: FetchRecords) -> RecordValues:
        """Return outputs that were too large to travel with the grant."""
        path = f"/v1/executions/{segment(execution_id)}/records"
        return await self._send("POST", path, RecordValues, command)

    async def claim_work(self, command: ClaimWork) -> Claimed:
        """Claim queued executions; the server waits up to `wait_s` for some to come."""
        wait_s = command.wait_s + 15
        return await self._send("POST", "/v1/workers/claim", Claimed, command, timeout_s=wait_s)

    async def stop_worker(self, command: StopWorker) -> None:
        """Say that a worker takes no more work."""
        await self._send("POST", "/v1/workers/stop", None, command)

    async def list_slots(
        self, *, key: str = "", execution_id: str = "", limit: int = 50, after: str | None = None
    ) -> Page[Slot]:
        """Return one page of who has a slot of a concurrency key, and who waits for one."""
        query = {"key": key or None, "execution_id": execution_id or None, "limit": limit, "after": after}
        return await self._get("/v1/slots", Page[Slot], query)

    async def list_workers(self, *, limit: int = 50, after: str | None = None) -> Page[Worker]:
        """Return one page of workers."""
        return await self._get("/v1/workers", Page[Worker], {"limit": limit, "after": after})

    async def record_usage(self, command: RecordUsage) -> UsageRecord:
        """Record what a provider charged for; the same id is counted once."""
        return await self._send("POST", "/v1/usage", UsageRecord, command)

    async def list_usage(
        self, *, execution_id: str | None = None, limit: int = 50, after: str | None = None
    ) -> Page[UsageRecord]:
        """Return one page of usage records, of an execution or of all."""
        query = {"execution_id": execution_id, "limit": limit, "after": after}
        return await self._get("/v1/usage", Page[UsageRecord], query)
