"""Calls about the server, the tenant and its keys.

Generated from omium/sdk/async_client by tools/generate_sync_client.py: edit there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

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
from omium.sdk.sync_client.core import SyncCore, encode_query, segment
from omium.states import Environment


class SyncAccount(SyncCore):
    """Server, tenant, keys."""

    def get_health(self) -> Health:
        """Say whether the server's process is there; needs no key."""
        return self._get("/healthz", Health)

    def get_readiness(self) -> Health:
        """Say whether the server can work; needs no key."""
        return self._get("/readyz", Health)

    def get_metrics(self) -> str:
        """Return the server's metrics in Prometheus' text format."""
        return (self._exchange("GET", "/metrics", None, None, None)).decode()

    def get_openapi(self) -> dict[str, object]:
        """Return the server's OpenAPI document; needs no key."""
        document: dict[str, object] = json.loads(self._exchange("GET", "/openapi.json", None, None, None))
        return document

    def get_spec_schema(self) -> dict[str, object]:
        """Return the JSON Schema of a workflow spec; needs no key."""
        schema: dict[str, object] = json.loads(
            self._exchange("GET", "/schemas/workflow-spec-v0.json", None, None, None)
        )
        return schema

    def get_whoami(self) -> WhoAmI:
        """Return whom the key belongs to and what it may do."""
        return self._get("/v1/whoami", WhoAmI)

    def get_status(self) -> Status:
        """Return what `omium status` shows: the checklist and counts."""
        return self._get("/v1/status", Status)

    def bootstrap_server(self, command: Bootstrap) -> NewKey:
        """Create the first tenant and its owner's key with the one-time token of a fresh server."""
        return self._send("POST", "/v1/bootstrap", NewKey, command)

    def create_key(self, command: CreateKey, *, idempotency_key: str | None = None) -> CreatedKey:
        """Create an API key; its secret is in the reply and nowhere else."""
        return self._send("POST", "/v1/keys", CreatedKey, command, idempotency_key=idempotency_key)

    def list_keys(
        self,
        *,
        status: KeyStatus | str | None = None,
        environment: Environment | str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[ApiKey]:
        """Return one page of the tenant's keys, newest first; those that have ended, too."""
        query = {"status": status, "environment": environment, "limit": limit, "after": after}
        return self._get("/v1/keys", Page[ApiKey], query)

    def get_key(self, key_id: str) -> ApiKey:
        """Return one key, without its secret."""
        return self._get(f"/v1/keys/{segment(key_id)}", ApiKey)

    def update_key(self, key_id: str, command: UpdateKey) -> ApiKey:
        """Change what is set in `command` and nothing else; None takes a cap, an expiry or a list away."""
        return self._send("PATCH", f"/v1/keys/{segment(key_id)}", ApiKey, command)

    def rotate_key(
        self, key_id: str, command: RotateKey | None = None, *, idempotency_key: str | None = None
    ) -> RotatedKey:
        """Give the key a new secret, which is in the reply and nowhere else; the key itself goes on."""
        path = f"/v1/keys/{segment(key_id)}/rotate"
        command = command or RotateKey()
        return self._send("POST", path, RotatedKey, command, idempotency_key=idempotency_key)

    def get_key_usage(self, key_id: str, *, days: int | None = None, last_day: str | None = None) -> KeyUsage:
        """Return what the key has used by day; `last_day` (such as 2026-11-22) is today by default."""
        path = f"/v1/keys/{segment(key_id)}/usage"
        return self._get(path, KeyUsage, {"days": days, "last_day": last_day})

    def exchange_key(self, command: ExchangeKey | None = None) -> ShortToken:
        """Return a token that stands for this client's key for some minutes, and manages nothing."""
        return self._send("POST", "/v1/auth/token", ShortToken, command or ExchangeKey())

    def revoke_key(self, key_id: str, *, keep_running: bool = False) -> ApiKey:
        """Revoke a key at once and for good; what it started is paused unless `keep_running`."""
        path = f"/v1/keys/{segment(key_id)}/revoke" + encode_query({"keep_running": keep_running or None})
        return self._send("POST", path, ApiKey)

    def get_retention(self) -> Retention:
        """Return how long executions are kept after their end."""
        return self._get("/v1/settings/retention", Retention)

    def set_retention(self, command: Retention) -> Retention:
        """Set how long executions are kept after their end."""
        return self._send("PUT", "/v1/settings/retention", Retention, command)

    def make_backup(self, command: MakeBackup | None = None) -> Backup:
        """Copy the database into the server's own backup folder, while work goes on."""
        return self._send("POST", "/v1/admin/backup", Backup, command or MakeBackup(), timeout_s=600)

    def verify_data(self) -> Verification:
        """Check that the stored data is whole and that its rules hold."""
        return self._get("/v1/admin/verify", Verification)

    def stream_hints(self) -> Iterator[Hint]:
        """Yield which executions have news, as it comes; poll as well, because hints can be missed."""
        for event in self._follow("/v1/events/stream", None):
            if event.name == "hint":
                yield Hint.model_validate_json(event.data)
