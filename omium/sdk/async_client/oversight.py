"""Calls about the audit log, alerts and named secrets."""

from __future__ import annotations

from omium.models.alert import AddAlertRule, AlertRule, Delivery, NewAlertRule
from omium.models.audit import AuditEntry, AuditVerification, CheckAudit
from omium.models.secret import Secret, SetSecret
from omium.models.wire import Page
from omium.sdk.async_client.core import AsyncCore, encode_query, segment
from omium.states import DeliveryStatus, Environment


class AsyncOversight(AsyncCore):
    """Who did what; who is told; what nobody is shown."""

    async def list_audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        result: str | None = None,
        after_us: int | None = None,
        before_us: int | None = None,
        oldest_first: bool = False,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[AuditEntry]:
        """Return one page of the audit log, newest first unless `oldest_first`."""
        query = {
            "actor": actor,
            "action": action,
            "target": target,
            "result": result,
            "after_us": after_us,
            "before_us": before_us,
            "oldest_first": oldest_first or None,
            "limit": limit,
            "after": after,
        }
        return await self._get("/v1/audit", Page[AuditEntry], query)

    async def verify_audit(self, command: CheckAudit | None = None) -> AuditVerification:
        """Check the audit log's chain, and compare it with heads that were noted earlier."""
        return await self._send(
            "POST", "/v1/audit/verify", AuditVerification, command or CheckAudit(), timeout_s=600
        )

    async def add_alert_rule(
        self, command: AddAlertRule, *, idempotency_key: str | None = None
    ) -> NewAlertRule:
        """Add an alert rule; a webhook's signing secret is in the reply and nowhere else."""
        return await self._send(
            "POST", "/v1/alerts/rules", NewAlertRule, command, idempotency_key=idempotency_key
        )

    async def list_alert_rules(self, *, limit: int = 50, after: str | None = None) -> Page[AlertRule]:
        """Return one page of the alert rules, oldest first."""
        return await self._get("/v1/alerts/rules", Page[AlertRule], {"limit": limit, "after": after})

    async def remove_alert_rule(self, rule_id: str) -> None:
        """Remove an alert rule and its messages."""
        await self._send("DELETE", f"/v1/alerts/rules/{segment(rule_id)}", None)

    async def test_alert_rule(self, rule_id: str, *, idempotency_key: str | None = None) -> Delivery:
        """Make a message that tells nothing, due at once."""
        path = f"/v1/alerts/rules/{segment(rule_id)}/test"
        return await self._send("POST", path, Delivery, idempotency_key=idempotency_key)

    async def rotate_alert_rule(self, rule_id: str, *, idempotency_key: str | None = None) -> NewAlertRule:
        """Give a webhook a new signing secret; the former one signs along for a day."""
        path = f"/v1/alerts/rules/{segment(rule_id)}/rotate"
        return await self._send("POST", path, NewAlertRule, idempotency_key=idempotency_key)

    async def list_alert_deliveries(
        self,
        *,
        rule: str | None = None,
        status: DeliveryStatus | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[Delivery]:
        """Return one page of the messages of alert rules, newest first."""
        query = {"rule": rule, "status": status, "limit": limit, "after": after}
        return await self._get("/v1/alerts/deliveries", Page[Delivery], query)

    async def retry_alert_delivery(self, delivery_id: str) -> Delivery:
        """Send a message again that was given up."""
        return await self._send("POST", f"/v1/alerts/deliveries/{segment(delivery_id)}/retry", Delivery)

    async def set_secret(self, name: str, command: SetSecret) -> Secret:
        """Set a named secret; nobody is shown its value again."""
        return await self._send("PUT", f"/v1/secrets/{segment(name)}", Secret, command)

    async def list_secrets(self, *, limit: int = 50, after: str | None = None) -> Page[Secret]:
        """Return one page of the named secrets, without their values."""
        return await self._get("/v1/secrets", Page[Secret], {"limit": limit, "after": after})

    async def delete_secret(self, name: str, *, environment: Environment | None = None) -> None:
        """Delete a named secret of `environment`, or of the key's own."""
        path = f"/v1/secrets/{segment(name)}" + encode_query({"environment": environment})
        await self._send("DELETE", path, None)
