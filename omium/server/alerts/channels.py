"""Channels: how a message of a rule gets out, by what the operator has configured.

Owns the choice and what a rule's destination must look like; the sending is omium/server/outbound. Of a
webhook, address and signing secrets are sealed for the rule's row: they never stand in clear in the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

from omium.errors import ConfigError
from omium.server.alerts.gather import ACTIVE
from omium.server.alerts.message import body_of, subject_of, text_of
from omium.server.outbound.addresses import TargetRefused
from omium.server.outbound.command import Commands, find_command, read_commands, run_command
from omium.server.outbound.email import MailServer
from omium.server.outbound.http import GuardedClient, SendFailed
from omium.server.outbound.webhook import GONE, Webhook, show_url
from omium.server.seal import KeyFile
from omium.server.settings import ServerSettings
from omium.server.store.alerts import DeliveryRow, RuleRow
from omium.states import AlertChannel, AlertKind


class TargetGone(Exception):
    """The target says that it is there no more: nothing further is sent to it."""


class Channels:
    """What this server can send with. One object for each server process."""

    def __init__(
        self,
        keys: KeyFile,
        client: GuardedClient,
        mail: MailServer | None,
        commands: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._keys = keys
        self._client = client
        self._mail = mail
        self._commands: Commands = commands

    @classmethod
    def load(cls, settings: ServerSettings, keys: KeyFile) -> Channels:
        """Return the channels that `settings` allow; `ConfigError` where something in them is wrong."""
        client = GuardedClient(
            settings.outbound_allow,
            timeout_s=settings.outbound_timeout_s,
            ca_file=settings.outbound_ca_file,
        )
        commands = read_commands(Path(settings.alert_commands)) if settings.alert_commands else {}
        return cls(keys, client, _load_mail(settings), commands)

    def check(self, channel: AlertChannel, destination: str) -> str:
        """Return what people are shown of `destination`, or raise `TargetRefused`."""
        match channel:
            case AlertChannel.WEBHOOK:
                return show_url(self._client, destination)
            case AlertChannel.EMAIL:
                return ", ".join(self._mail_server().read_recipients(destination))
            case AlertChannel.COMMAND:
                find_command(self._commands, destination)
                return destination
            case _:
                assert_never(channel)

    def seal(self, tenant_id: str, rule_id: str, webhook: Webhook) -> bytes:
        """Return `webhook` sealed for its rule: in another row, or another tenant's, it does not open."""
        return webhook.seal(self._keys, *_place(tenant_id, rule_id))

    def unseal(self, rule: RuleRow) -> Webhook:
        """Return what was sealed for `rule`; raises `SealBroken`."""
        assert rule.sealed is not None
        return Webhook.unseal(self._keys, rule.sealed, *_place(rule.tenant_id, rule.id))

    async def send(self, rule: RuleRow, delivery: DeliveryRow, now_us: int) -> None:
        """Send `delivery` once; raises `SendFailed`, `TargetRefused` or `TargetGone` unless it was taken."""
        if rule.status != ACTIVE and delivery.kind != AlertKind.ALERT_TESTED:  # it gathered before the 410
            raise TargetGone(rule.note)
        channel = AlertChannel(rule.channel)
        match channel:
            case AlertChannel.WEBHOOK:
                await self._post(rule, delivery, now_us)
            case AlertChannel.EMAIL:
                mail = self._mail_server()
                recipients = mail.read_recipients(rule.destination)
                await mail.send(recipients, subject_of(rule, delivery), text_of(rule, delivery), delivery.id)
            case AlertChannel.COMMAND:
                await run_command(find_command(self._commands, rule.destination), body_of(rule, delivery))
            case _:
                assert_never(channel)

    async def _post(self, rule: RuleRow, delivery: DeliveryRow, now_us: int) -> None:
        body = body_of(rule, delivery)
        taken = await self.unseal(rule).post(self._client, delivery.id, body, now_us)
        if taken.status == GONE:
            raise TargetGone(f"{rule.destination} answered 410: it is there no more.")
        if not 200 <= taken.status < 300:
            raise SendFailed(f"{rule.destination} answered {taken.status}.")

    def _mail_server(self) -> MailServer:
        if self._mail is None:
            raise TargetRefused("This server sends no e-mail; its operator can set OMIUM_SMTP_HOST.")
        return self._mail


def _load_mail(settings: ServerSettings) -> MailServer | None:
    if not settings.smtp_host:
        return None
    password = ""
    if settings.smtp_password_file:
        try:
            password = Path(settings.smtp_password_file).read_text().strip()
        except OSError as error:
            raise ConfigError(
                f"OMIUM_SMTP_PASSWORD_FILE names {settings.smtp_password_file}: {error.strerror}."
            ) from error
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        tls=settings.smtp_tls,
        user=settings.smtp_user,
        password=password,
        sender=settings.smtp_from,
        recipients=tuple(ending.lower() for ending in settings.smtp_recipients),
        ca_file=settings.outbound_ca_file,
    )


def _place(tenant_id: str, rule_id: str) -> tuple[str, ...]:
    return tenant_id, "alert_rules", rule_id, "sealed"
