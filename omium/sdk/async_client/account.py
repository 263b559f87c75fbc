"""Calls about the server, the tenant and its keys."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from omium.models.account import Bootstrap, NewKey, Retention, Status, WhoAmI
from omium.models.execution import Hint
from omium.models.keys import (
    ApiKey,
    CreatedKey,
    CreateKey,
    ExchangeKey,
    KeyStatus,
    KeyUsage,
    RotatedKey,
    RotateKey,
    ShortToken,
    UpdateKey,
)
from omium.models.server import Backup, Health, MakeBackup, Verification
from omium.models.wire import Page
from omium.sdk.async_client.core import AsyncCore, encode_query, segment
from omium.states import Environment


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

    async def get_spec_schema(self) -> dict[str, object]:
        """Return the JSON Schema of a workflow spec; needs no key."""
        schema: dict[str, object] = json.loads(
            await self._exchange("GET", "/schemas/workflow-spec-v0.json", None, None, None)
        )
        return schema

    async def get_whoami(self) -> WhoAmI:
        """Return whom the key belongs to and what it may do."""
        return await self._get("/v1/whoami", WhoAmI)

    async def get_status(self) -> Status:
        """Return what `omium status` shows: the checklist and counts."""
        return await self._get("/v1/status", Status)

    async def bootstrap_server(self, command: Bootstrap) -> NewKey:
        """Create the first tenant and its owner's key with the one-time token of a fresh server."""
        return await self._send("POST", "/v1/bootstrap", NewKey, command)

    async def create_key(self, command: CreateKey, *, idempotency_key: str | None = None) -> CreatedKey:
        """Create an API key; its secret is in the reply and nowhere else."""
        return await self._send("POST", "/v1/keys", CreatedKey, command, idempotency_key=idempotency_key)

    async def list_keys(
        self,
        *,
        status: KeyStatus | str | None = None,
        environment: Environment | str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[ApiKey]:
        """Return one page of the tenant's keys, newest first; those that have ended, too."""
        query = {"status": status, "environment": environment, "limit": limit, "after": after}
        return await self._get("/v1/keys", Page[ApiKey], query)

    async def get_key(self, key_id: str) -> ApiKey:
        """Return one key, without its secret."""
        return await self._get(f"/v1/keys/{segment(key_id)}", ApiKey)

    async def update_key(self, key_id: str, command: UpdateKey) -> ApiKey:
        """Change what is set in `command` and nothing else; None takes a cap, an expiry or a list away."""
        return await self._send("PATCH", f"/v1/keys/{segment(key_id)}", ApiKey, command)

    async def rotate_key(
        self, key_id: str, command: RotateKey | None = None, *, idempotency_key: str | None = None
    ) -> RotatedKey:
        """Give the key a new secret, which is in the reply and nowhere else; the key itself goes on."""
        path = f"/v1/keys/{segment(key_id)}/rotate"
        command = command or RotateKey()
        return await self._send("POST", path, RotatedKey, command, idempotency_key=idempotency_key)

    async def get_key_usage(
        self, key_id: str, *, days: int | None = None, last_day: str | None = None
    ) -> KeyUsage:
        """Return what the key has used by day; `last_day` (such as 2026-11-22) is today by default."""
        path = f"/v1/keys/{segment(key_id)}/usage"
        return await self._get(path, KeyUsage, {"days": days, "last_day": last_day})

    async def exchange_key(self, command: ExchangeKey | None = None) -> ShortToken:
        """Return a token that stands for this client's key for some minutes, and manages nothing."""
        return await self._send("POST", "/v1/auth/token", ShortToken, command or ExchangeKey())

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
