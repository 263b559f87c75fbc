"""Calls about the server, the tenant and its keys."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from omium.models.account import ApiKey, Bootstrap, CreateKey, NewKey, Retention, Status, WhoAmI
from omium.models.execution import Hint
from omium.models.server import Backup, Health, MakeBackup, Verification
from omium.models.wire import Page
from omium.sdk.async_client.core import AsyncCore, encode_query, segment


class AsyncAccount(AsyncCore):
    """Server, tenant, keys."""

    async def get_health(self) -> Health:
        """Say whether the server's process is there; needs no key."""
        return await self._get("/healthz", Health)

    async def get_readiness(self) -> Health:
        """Say whether the server can work; needs no key."""
        return await self._get("/readyz", Health)

    async def get_metrics(self) -> str:
        """Return the server's metrics in Prometheus' text format."""
        return (await self._exchange("GET", "/metrics", None, None, None)).decode()

    async def get_openapi(self) -> dict[str, object]:
        """Return the server's OpenAPI document; needs no key."""
        document: dict[str, object] = json.loads(
            await self._exchange("GET", "/openapi.json", None, None, None)
        )
        return document

    async def get_whoami(self) -> WhoAmI:
        """Return whom the key belongs to and what it may do."""
        return await self._get("/v1/whoami", WhoAmI)

    async def get_status(self) -> Status:
        """Return what `omium status` shows: the checklist and counts."""
        return await self._get("/v1/status", Status)

    async def bootstrap_server(self, command: Bootstrap) -> NewKey:
        """Create the first tenant and its owner's key with the one-time token of a fresh server."""
        return await self._send("POST", "/v1/bootstrap", NewKey, command)

    async def create_key(self, command: CreateKey, *, idempotency_key: str | None = None) -> NewKey:
        """Create an API key; its secret is in the reply and nowhere else."""
        return await self._send("POST", "/v1/keys", NewKey, command, idempotency_key=idempotency_key)

    async def list_keys(self, *, limit: int = 50, after: str | None = None) -> Page[ApiKey]:
        """Return one page of the tenant's keys, newest first."""
        return await self._get("/v1/keys", Page[ApiKey], {"limit": limit, "after": after})

    async def revoke_key(self, key_id: str, *, keep_running: bool = False) -> ApiKey:
        """Revoke a key at once and for good; what it started is paused unless `keep_running`."""
        path = f"/v1/keys/{segment(key_id)}/revoke" + encode_query({"keep_running": keep_running or None})
        return await self._send("POST", path, ApiKey)

    async def get_retention(self) -> Retention:
        """Return how long executions are kept after their end."""
        return await self._get("/v1/settings/retention", Retention)

    async def set_retention(self, command: Retention) -> Retention:
        """Set how long executions are kept after their end."""
        return await self._send("PUT", "/v1/settings/retention", Retention, command)

    async def make_backup(self, command: MakeBackup | None = None) -> Backup:
        """Copy the database into the server's own backup folder, while work goes on."""
        return await self._send("POST", "/v1/admin/backup", Backup, command or MakeBackup(), timeout_s=600)

    async def verify_data(self) -> Verification:
        """Check that the stored data is whole and that its rules hold."""
        return await self._get("/v1/admin/verify", Verification)

    async def stream_hints(self) -> AsyncIterator[Hint]:
        """Yield which executions have news, as it comes; poll as well, because hints can be missed."""
        async for event in self._follow("/v1/events/stream", None):
            if event.name == "hint":
                yield Hint.model_validate_json(event.data)
