"""Sending: one signed message to a target, through the guarded client.

Owns what counts as taken: a 2xx. A redirect is a failure: who moves tells it to Omium, not to whoever reads
the message. 410 says that the target is there no more. Seal and signature are those of outbound/webhook.py.
"""

from __future__ import annotations

import time

from omium.clock import Clock
from omium.errors import SealBroken
from omium.jsonvalue import JsonValue
from omium.models.webhook import WebhookTested
from omium.server.outbound.addresses import TargetRefused
from omium.server.outbound.http import Answer, GuardedClient, SendFailed
from omium.server.outbound.webhook import GONE, Webhook, show_url
from omium.server.seal import KeyFile
from omium.server.settings import ServerSettings
from omium.server.store.webhooks import TargetRow
from omium.server.webhooks.messages import SAID_BYTES_MAX, make_message


class Refused(Exception):
    """The target did not take it; `status` is what it answered, None without an answer.

    `reached` False: it certainly knows nothing of it. `gone`: it's there no more.
    """

    def __init__(
        self,
        detail: str,
        status: int | None = None,
        *,
        reached: bool = True,
        gone: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.reached = reached
        self.gone = gone
        self.retry_after_s = retry_after_s


class Sender:
    """Sends messages to targets. One object for each server process."""

    def __init__(self, keys: KeyFile, client: GuardedClient, clock: Clock) -> None:
        self._keys = keys
        self._client = client
        self._clock = clock

    @classmethod
    def load(cls, settings: ServerSettings, keys: KeyFile, clock: Clock) -> Sender:
        """Return the sender that `settings` allow."""
        client = GuardedClient(
            settings.outbound_allow,
            timeout_s=settings.outbound_timeout_s,
            ca_file=settings.outbound_ca_file,
        )
        return cls(keys, client, clock)

    def check(self, url: str) -> str:
        """Return what people are shown of `url`, or raise `TargetRefused`."""
        return show_url(self._client, url)

    def seal(self, tenant_id: str, target_id: str, webhook: Webhook) -> bytes:
        """Return `webhook` sealed for its target: in another row, or another tenant's, it does not open."""
        return webhook.seal(self._keys, *_place(tenant_id, target_id))

    def unseal(self, row: TargetRow) -> Webhook:
        """Return what was sealed for `row`; raises `SealBroken`."""
        return Webhook.unseal(self._keys, row.sealed, *_place(row.tenant_id, row.id))

    async def send(self, row: TargetRow, message_id: str, body: bytes, *, timeout_s: float) -> Answer:
        """Send `body` once and return a 2xx answer; raises `Refused` with everything that is known."""
        now_us = self._clock.now_us()
        try:
            taken = await self.unseal(row).post(
                self._client,
                message_id,
                body,
                now_us,
                timeout_s=timeout_s,
                answer_bytes_max=SAID_BYTES_MAX,
            )
        except SendFailed as failed:
            raise Refused(str(failed), reached=failed.reached) from failed
        except (TargetRefused, SealBroken) as failed:
            raise Refused(str(failed), reached=False) from failed
        if not 200 <= taken.status < 300:
            raise Refused(
                _say(row, taken.status),
                taken.status,
                gone=taken.status == GONE,
                retry_after_s=taken.retry_after_s(now_us),
            )
        return taken

    async def test(self, row: TargetRow, message_id: str) -> WebhookTested:
        """Send a message that asks for nothing, and return what came of it; raises nothing."""
        began_s = time.monotonic()
        data: dict[str, JsonValue] = {"webhook": row.id}
        body = make_message("webhook.tested", self._clock.now_us(), data)
        status: int | None = None
        try:
            taken = await self.send(row, message_id, body, timeout_s=row.reply_s)
            ok, status, detail = True, taken.status, f"{row.destination} answered {taken.status}."
        except Refused as refused:
            ok, status, detail = False, refused.status, refused.detail
        elapsed_ms = round((time.monotonic() - began_s) * 1000)
        return WebhookTested(ok=ok, status=status, detail=detail, elapsed_ms=elapsed_ms)


def _say(row: TargetRow, status: int) -> str:
    if status == GONE:
        return f"{row.destination} answered 410: it is there no more."
    if 300 <= status < 400:
        return f"{row.destination} answered {status}, a redirect, which is not followed."
    return f"{row.destination} answered {status}."


def _place(tenant_id: str, target_id: str) -> tuple[str, ...]:
    return tenant_id, "webhook_targets", target_id, "sealed"
