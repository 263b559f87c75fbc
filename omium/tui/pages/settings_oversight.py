"""Settings about secrets, alerts and the audit log."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Final

from omium.models.alert import AddAlertRule, AlertRule, Delivery, NewAlertRule
from omium.models.audit import AuditEntry, AuditVerification
from omium.models.secret import Secret, SetSecret
from omium.models.wire import Page
from omium.states import AlertChannel, AlertKind, Environment
from omium.tui.content import cell, right, state
from omium.tui.dialogs import Field, Form, Reading
from omium.tui.pages.sections import Section
from omium.tui.widgets.listing import Column
from omium.words import ago, local_time, now_us

ENVIRONMENTS: Final = tuple(each.value for each in Environment)
CHANNELS: Final = tuple(each.value for each in AlertChannel)


class Secrets(Section[Secret]):
    """Named secrets; their values are never shown."""

    name = "secrets"
    title = "Secrets"
    empty = "No secrets. + sets one; documents name it as {{ secrets.NAME }}, and nobody is shown its value."
    command = "omium secrets list"

    def columns(self) -> Sequence[Column[Secret]]:
        return (
            Column("Name", lambda s: cell(s.name)),
            Column("Environment", lambda s: cell(s.environment.value), 11),
            Column("Version", lambda s: right(s.version), 7),
            Column("Set", lambda s: cell(ago(s.updated_at_us, now_us())), 12),
            Column("By", lambda s: cell(s.updated_by), 24, hide_below=100),
            Column("Used", lambda s: cell(ago(s.last_used_at_us, now_us())), 12),
        )

    def key_of(self, item: Secret) -> str:
        return f"{item.environment.value}/{item.name}"

    def list_page(self, after: str | None) -> Awaitable[Page[Secret]]:
        return self.client.list_secrets(after=after)

    def create(self) -> None:
        """Set a secret."""
        self._ask("", "")

    def change(self) -> None:
        """Set another value."""
        if self.pointed is not None:
            self._ask(self.pointed.name, self.pointed.environment.value)

    def _ask(self, name: str, environment: str) -> None:
        fields = [
            Field("name", "Name", name, required=True),
            Field(
                "environment",
                "Environment",
                environment or "dev",
                kind="choice",
                choices=ENVIRONMENTS,
                required=True,
            ),
            Field("value", "Value", kind="secret", required=True, help="It goes in and never comes out."),
        ]
        self.page.app.push_screen(Form("Set a secret", fields, send="Set"), self._set)

    def _set(self, given: Mapping[str, str] | None) -> None:
        if given is not None:
            command = SetSecret(value=given["value"], environment=Environment(given["environment"]))
            said = f"{given['name']} is set."
            self.page.act(
                f"Set secret {given['name']}",
                lambda: self.client.set_secret(given["name"], command),
                said=said,
            )

    def remove(self) -> None:
        """Delete secrets."""
        self.remove_each(
            "Delete {}?",
            "What needs it fails from then on.",
            "Delete",
            lambda secret: self.client.delete_secret(secret.name, environment=secret.environment),
            lambda secret: secret.name,
        )


class Alerts(Section[AlertRule]):
    """Who is told what happens."""

    name = "alerts"
    title = "Alerts"
    empty = "Nobody is told what happens. + adds a rule: a signed webhook, an e-mail, or a command."
    command = "omium alerts list"

    def columns(self) -> Sequence[Column[AlertRule]]:
        return (
            Column("Name", lambda r: cell(r.name), 18),
            Column("Status", lambda r: state(r.status, r.note), 14),
            Column("By", lambda r: cell(r.channel.value), 8),
            Column("To", lambda r: cell(r.destination)),
            Column("Of", lambda r: cell(" ".join(kind.value for kind in r.kinds)), 40, hide_below=130),
            Column("Workflow", lambda r: cell(r.workflow or "all"), 16, hide_below=100),
        )

    def key_of(self, item: AlertRule) -> str:
        return item.id

    def list_page(self, after: str | None) -> Awaitable[Page[AlertRule]]:
        return self.client.list_alert_rules(after=after)

    def create(self) -> None:
        """Add a rule."""
        kinds = " ".join(kind.value for kind in AlertKind)
        fields = [
            Field("name", "Name", required=True, placeholder="on-call"),
            Field("channel", "By", "webhook", kind="choice", choices=CHANNELS, required=True),
            Field(
                "destination",
                "To",
                required=True,
                help="An https address, e-mail addresses, or a command's name.",
            ),
            Field("kinds", "Of", check=_wrong_kinds, help=f"Empty: everything. Else of {kinds}"),
            Field("workflow", "Only of this workflow"),
        ]
        self.page.app.push_screen(Form("New alert", fields, send="Add"), self._create)

    def _create(self, given: Mapping[str, str] | None) -> None:
        if given is not None:
            command = AddAlertRule(
                name=given["name"],
                channel=AlertChannel(given["channel"]),
                destination=given["destination"],
                kinds=[AlertKind(kind) for kind in given["kinds"].split()] or None,
                workflow=given["workflow"] or None,
            )
            self.page.act(
                f"Add alert {command.name}", lambda: self.client.add_alert_rule(command), self._show
            )

    def _show(self, made: NewAlertRule) -> None:
        self.page.load()
        if made.signing_secret is None:
            self.page.notify(f"{made.name} is there. t tries it.", markup=False)
        else:
            note = (
                f"The signing secret of {made.name}, shown this once: the receiver checks signatures with it."
            )
            self.page.app.push_screen(Reading("Signing secret", made.signing_secret, note=note))

    def rotate(self) -> None:
        """Make a new signing secret."""
        rule = self.pointed
        if rule is not None:
            rotate = partial(
                self.page.act,
                f"Rotate {rule.name}",
                lambda: self.client.rotate_alert_rule(rule.id),
                self._show,
            )
            self.page.ask(
                f"Give {rule.name} a new signing secret?", "The former one ends.", rotate, yes="Rotate"
            )

    def test(self) -> None:
        """Send a message that tells nothing."""
        rule = self.pointed
        if rule is not None:
            said = "A message is on its way; see Messages."
            self.page.act(f"Test {rule.name}", lambda: self.client.test_alert_rule(rule.id), said=said)

    def remove(self) -> None:
        """Remove rules."""
        self.remove_each(
            "Remove {}?",
            "Nobody is told by it any more.",
            "Remove",
            lambda rule: self.client.remove_alert_rule(rule.id),
            lambda rule: rule.name,
        )


def _wrong_kinds(text: str) -> str | None:
    known = {kind.value for kind in AlertKind}
    wrong = [word for word in text.split() if word not in known]
    return f"There is no alert of {wrong[0]}." if wrong else None


class Messages(Section[Delivery]):
    """What was sent."""

    name = "messages"
    title = "Messages"
    empty = "Nothing was sent yet."
    command = "omium alerts deliveries"

    def columns(self) -> Sequence[Column[Delivery]]:
        return (
            Column("When", lambda d: cell(ago(d.created_at_us, now_us())), 12),
            Column("Status", lambda d: state(d.status.value), 14),
            Column("Of", lambda d: cell(d.kind.value), 24),
            Column("Facts", lambda d: right(d.facts), 5),
            Column("Tries", lambda d: right(d.attempts), 5),
            Column("Error", lambda d: cell(d.error)),
        )

    def key_of(self, item: Delivery) -> str:
        return item.id

    def list_page(self, after: str | None) -> Awaitable[Page[Delivery]]:
        return self.client.list_alert_deliveries(after=after)

    def test(self) -> None:
        """Send it once more."""
        delivery = self.pointed
        if delivery is not None:
            self.page.act(
                "Send a message again",
                lambda: self.client.retry_alert_delivery(delivery.id),
                said="It is sent once more.",
            )


class Audit(Section[AuditEntry]):
    """Who did what."""

    name = "audit"
    title = "Audit"
    empty = "Nothing was done yet."
    command = "omium audit list"

    def columns(self) -> Sequence[Column[AuditEntry]]:
        return (
            Column("When", lambda a: cell(local_time(a.at_us)), 19),
            Column("Deed", lambda a: cell(a.action), 24),
            Column("On", lambda a: cell(a.target)),
            Column("By", lambda a: cell(a.actor_id), 30, hide_below=100),
            Column("From", lambda a: cell(a.address), 15, hide_below=130),
            Column("Result", lambda a: cell(a.result, "red" if a.result == "refused" else ""), 8),
        )

    def key_of(self, item: AuditEntry) -> str:
        return str(item.seq)

    def list_page(self, after: str | None) -> Awaitable[Page[AuditEntry]]:
        return self.client.list_audit(after=after)

    def verify(self) -> None:
        """Check the chain."""
        self.page.act("Verify the audit log", self.client.verify_audit, self._show)

    def _show(self, found: AuditVerification) -> None:
        if found.problems:
            self.page.app.push_screen(Reading("The audit log was changed", "\n".join(found.problems)))
        else:
            at = "empty" if found.head is None else f"whole up to entry {found.head.seq}"
            self.page.notify(f"The audit log is {at}.")
