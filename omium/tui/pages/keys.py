"""Keys: what machines log in with, what each may spend, and the line to paste on another machine."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final, Literal, cast

from pydantic import ValidationError
from rich.text import Text

from omium.models.account import NewKey
from omium.models.keys import (
    ApiKey,
    CapPeriod,
    CreateKey,
    KeyStatus,
    KeyUsage,
    KeyUsagePart,
    RotateKey,
    UpdateKey,
)
from omium.models.wire import Page
from omium.states import Scope
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.content import cell, safe, state
from omium.tui.dialogs import Field, Form, Reading
from omium.tui.pages.key_form import changes_of, fields_of, read_form
from omium.tui.pages.sections import Section, SectionsPage
from omium.tui.widgets.listing import Column
from omium.words import ago, count, money, now_us, number

BAR: Final = 10
GRACE_S: Final[Mapping[str, Literal[0, 900, 3600, 86400]]] = {
    "none": 0,
    "15 minutes": 900,
    "an hour": 3600,
    "a day": 86400,
}
MANAGING: Final = (actions.CREATE, actions.REMOVE, actions.CHANGE, actions.ROTATE)
USAGE = Action("usage", "u", "usage", "What the key has used, by day and model.")
INIT_LINE = Action("init_line", "l", "init line", "The `omium init` line to paste on another machine.")


class ActiveKeys(Section[ApiKey]):
    """Keys that are good."""

    name = "active"
    title = "Active"
    empty = "No keys. + makes one for your agents; its secret is shown once."
    command = "omium keys list"
    status = KeyStatus.ACTIVE

    def columns(self) -> Sequence[Column[ApiKey]]:
        return (
            Column("Name", lambda k: cell(k.name)),
            Column("State", lambda k: state(k.status.value), 10),
            Column("Environment", lambda k: cell(k.environment.value), 11, hide_below=90),
            Column("Spent of its cap", _cap, 34),
            Column("Used", lambda k: cell(ago(k.last_used_at_us, now_us())), 12),
            Column("Made", lambda k: cell(ago(k.created_at_us, now_us())), 12, hide_below=110),
            Column("May", lambda k: cell(" ".join(each.value for each in k.scopes)), 30, hide_below=150),
            Column("Ends", lambda k: cell(ago(k.expires_at_us, now_us())), 12, hide_below=130),
        )

    def key_of(self, item: ApiKey) -> str:
        return item.id

    def list_page(self, after: str | None) -> Awaitable[Page[ApiKey]]:
        return self.client.list_keys(status=self.status, after=after)

    def create(self) -> None:
        """Make a key."""
        self.page.app.push_screen(Form("New API key", fields_of(None), send="Make it"), self._create)

    def _create(self, given: Mapping[str, str] | None) -> None:
        if given is None:
            return
        try:
            command = CreateKey.model_validate(read_form(given) | {"environment": given["environment"]})
        except ValidationError as error:
            self.page.notify(safe(error.errors()[0]["msg"]), severity="error", markup=False)
            return
        self.page.act(f"Make key {command.name}", lambda: self.client.create_key(command), self.show_secret)

    def change(self) -> None:
        """Change name, cap, expiry, or what it may run."""
        key = self.pointed
        if key is not None:
            self.page.app.push_screen(
                Form(f"Change {key.name}", fields_of(key), send="Save"), partial(self._change, key)
            )

    def _change(self, key: ApiKey, given: Mapping[str, str] | None) -> None:
        if given is None:
            return
        try:
            command = UpdateKey.model_validate(changes_of(key, read_form(given)))
        except ValidationError as error:
            self.page.notify(safe(error.errors()[0]["msg"]), severity="error", markup=False)
            return
        self.page.act(
            f"Change key {key.name}",
            lambda: self.client.update_key(key.id, command),
            said=f"{key.name} is changed.",
        )

    def rotate(self) -> None:
        """Give it another secret."""
        key = self.pointed
        if key is not None:
            grace = Field(
                "grace",
                "How long the present secret stays good",
                "none",
                kind="choice",
                choices=tuple(GRACE_S),
                required=True,
                help="With none, what runs with it is refused from now on.",
            )
            self.page.app.push_screen(
                Form(f"Rotate {key.name}", [grace], send="Rotate"), partial(self._rotate, key)
            )

    def _rotate(self, key: ApiKey, given: Mapping[str, str] | None) -> None:
        if given is not None:
            command = RotateKey(grace_s=GRACE_S[given["grace"]])
            self.page.act(
                f"Rotate key {key.name}", lambda: self.client.rotate_key(key.id, command), self.show_secret
            )

    def remove(self) -> None:
        """Revoke keys."""
        self.remove_each(
            "Revoke {}?",
            "At once and for good: what uses it is refused, what it started pauses after its present step.",
            "Revoke",
            lambda key: self.client.revoke_key(key.id),
            lambda key: key.name,
        )

    def show_secret(self, made: NewKey) -> None:
        """Show a secret, once."""
        self.page.pointing = made.api_key_id
        self.page.load()
        line = _init_line(self.client.settings.base_url, made.api_key)
        note = (
            f"The secret of {made.name}, shown this once; y copies it. On the machine that uses it:\n{line}"
        )
        self.page.app.push_screen(Reading("API key", made.api_key, note=note))

    def show_usage(self) -> None:
        """Show what the key has used."""
        key = self.pointed
        if key is not None:
            self.page.fetch(
                lambda: self.client.get_key_usage(key.id, days=30), self._show_usage, name="usage"
            )

    def _show_usage(self, found: KeyUsage) -> None:
        total = found.total
        lines = [
            f"{found.first_day} to {found.last_day}: {_sum(total)}",
            "",
            *(
                f"{day.day}  {day.executions:>8,}  {number(day.spent_credits):>14} credits"
                for day in found.days
            ),
            "",
            *(
                f"{each.provider}/{each.model}: {each.calls:,} calls, {each.input_tokens:,} in,"
                f" {each.output_tokens:,} out"
                for each in total.models
            ),
        ]
        self.page.app.push_screen(Reading(f"Usage of {found.name}", "\n".join(lines)))


class EndedKeys(ActiveKeys):
    """Keys that are not good any more."""

    name = "revoked"
    title = "Revoked"
    empty = "No key was revoked."
    status = KeyStatus.REVOKED


class ExpiredKeys(ActiveKeys):
    """Keys whose time is over."""

    name = "expired"
    title = "Expired"
    empty = "No key has expired."
    status = KeyStatus.EXPIRED


class KeysPage(SectionsPage):
    """API keys."""

    NAME: ClassVar[str] = "keys"
    TITLE: ClassVar[str | None] = "Keys"
    SECTIONS = (ActiveKeys, EndedKeys, ExpiredKeys)
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        actions.PREVIOUS_TAB,
        actions.NEXT_TAB,
        actions.FILTER,
        actions.COPY,
        *(replace(each, scope=Scope.MANAGE) for each in MANAGING),
        USAGE,
        INIT_LINE,
    )

    def may_do(self, action: Action) -> bool:
        if action.name in {"remove", "change", "rotate"}:
            return self.section.name == "active"
        return super().may_do(action)

    def action_usage(self) -> None:
        """Show what the key has used."""
        self._keys.show_usage()

    def action_init_line(self) -> None:
        """Show the line to paste on another machine."""
        line = _init_line(self.client.settings.base_url, None)
        note = "It asks for the key. A key's secret is shown once, when it is made or rotated (o)."
        self.app.push_screen(Reading("On the machine that uses the key", line, note=note))

    @property
    def _keys(self) -> ActiveKeys:
        return cast("ActiveKeys", self.section)


def _init_line(base_url: str, api_key: str | None) -> str:
    address = f"omium init --base-url {shlex.quote(base_url)}"
    return address if api_key is None else f"OMIUM_API_KEY={api_key} {address}"


def _sum(part: KeyUsagePart) -> str:
    ran = f"{count(part.executions, 'execution')}, {count(part.steps, 'step')}"
    return f"{ran}, {number(part.spent_credits)} credits"


def _cap(key: ApiKey) -> Text:
    """Return what the key has spent beside its cap, as a bar and in words."""
    if key.spend_cap_usd is None or not key.spend_cap_microcredits:
        return cell(f"${money(key.spent_usd)}, no cap", "dim" if not key.spent_usd else "")
    spent = key.period_spent_microcredits or 0
    share = min(spent / key.spend_cap_microcredits, 1.0)
    filled = round(share * BAR)
    tone = "red" if share >= 1 else "yellow" if share >= (key.soft_cap_percent or 80) / 100 else "green"
    per = "" if key.cap_period in (None, CapPeriod.TOTAL) else f"/{key.cap_period.value}"
    text = Text("━" * filled, tone)
    text.append("─" * (BAR - filled) + " ", "dim")
    text.append(f"${money(key.period_spent_usd or 0)} of ${money(key.spend_cap_usd)}{per}", tone)
    return text
