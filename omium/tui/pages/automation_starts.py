"""What starts workflows by itself, and who does their nodes: schedules, triggers and webhooks as lists."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import ClassVar

from omium.models.schedules import Schedule, Trigger
from omium.models.webhook import Webhook
from omium.models.wire import Page
from omium.states import Scope
from omium.tui import start_forms, starts
from omium.tui.content import cell, right, safe, state
from omium.tui.dialogs import Reading
from omium.tui.pages.sections import Section
from omium.tui.pages.start import StartPage
from omium.tui.start_words import cause, next_time
from omium.tui.widgets.listing import Column
from omium.words import ago, local_time, now_us


class Schedules(Section[Schedule]):
    """What starts workflows again and again."""

    name = "schedules"
    title = "Schedules"
    empty = "No schedule yet. + makes one: a workflow, when it starts, and on whose clock."
    command = "omium schedules list"
    scopes: ClassVar[Mapping[str, Scope]] = {"create": Scope.OPERATE, "remove": Scope.OPERATE}

    def columns(self) -> Sequence[Column[Schedule]]:
        return (
            Column("Schedule", lambda s: cell(s.name)),
            Column("Status", lambda s: state(s.status.value, s.note), 14),
            Column("Workflow", lambda s: cell(s.workflow), 20),
            Column("When", lambda s: cell(f"{s.cron} {s.timezone}"), 32, hide_below=110),
            Column("Next", next_time, 11),
            Column("Environment", lambda s: cell(s.environment.value), 11, hide_below=130),
        )

    def key_of(self, item: Schedule) -> str:
        return item.id

    def list_page(self, after: str | None) -> Awaitable[Page[Schedule]]:
        return self.client.list_schedules(after=after)

    def open(self, item: object) -> None:
        """Show one, with its times."""
        if isinstance(item, Schedule):
            self.page.app.push_screen(StartPage(item.id))

    def create(self) -> None:
        """Make one."""
        start_forms.create_schedule(self.page)

    def start(self) -> None:
        """Start its workflow now."""
        if self.pointed is not None:
            starts.run_now(self.page, self.pointed)

    def pause(self) -> None:
        """Pause it, or let it go on."""
        if self.pointed is not None:
            starts.pause_or_resume(self.page, self.pointed)

    def remove(self) -> None:
        """Delete what is marked."""
        starts.delete(self.page, self.chosen, self.page.load)
        self.listing.marked.clear()


class Triggers(Section[Trigger]):
    """What starts workflows for a webhook, or after another one."""

    name = "triggers"
    title = "Triggers"
    empty = "No trigger yet. + makes one: for a signed webhook that comes in, or after another workflow."
    command = "omium triggers list"
    scopes: ClassVar[Mapping[str, Scope]] = dict.fromkeys(("create", "remove", "rotate"), Scope.OPERATE)

    def columns(self) -> Sequence[Column[Trigger]]:
        return (
            Column("Trigger", lambda t: cell(t.name), 20),
            Column("For", lambda t: cell(cause(t))),
            Column("Starts", lambda t: cell(t.workflow), 20),
            Column("Environment", lambda t: cell(t.environment.value), 11, hide_below=110),
            Column("Made", lambda t: cell(ago(t.created_at_us, now_us())), 12, hide_below=130),
        )

    def key_of(self, item: Trigger) -> str:
        return item.id

    def list_page(self, after: str | None) -> Awaitable[Page[Trigger]]:
        return self.client.list_triggers(after=after)

    def open(self, item: object) -> None:
        """Show one, with what became of it."""
        if isinstance(item, Trigger):
            self.page.app.push_screen(StartPage(item.id))

    def create(self) -> None:
        """Make one."""
        start_forms.create_trigger(self.page)

    def rotate(self) -> None:
        """Give a webhook's trigger another secret."""
        if self.pointed is not None:
            starts.rotate(self.page, self.pointed)

    def remove(self) -> None:
        """Delete what is marked."""
        starts.delete(self.page, self.chosen, self.page.load)
        self.listing.marked.clear()


class Webhooks(Section[Webhook]):
    """Services of one's own that nodes are pushed to."""

    name = "webhooks"
    title = "Webhooks"
    empty = "No webhook yet. + makes one: nodes that call its handlers are pushed to a service of yours."
    command = "omium webhooks list"
    scopes: ClassVar[Mapping[str, Scope]] = dict.fromkeys(
        ("create", "remove", "rotate", "test"), Scope.MANAGE
    )

    def columns(self) -> Sequence[Column[Webhook]]:
        return (
            Column("Webhook", lambda w: cell(w.name)),
            Column("Status", lambda w: state(w.status, w.note), 14),
            Column("Does", lambda w: cell(", ".join(w.handlers)), 20),
            Column("To", lambda w: cell(w.destination), 24),
            Column("For", lambda w: cell(f"{w.environment.value}, {w.queue}"), 16, hide_below=110),
            Column("Now", lambda w: right(f"{w.open}/{w.concurrency}"), 7, hide_below=90),
            Column("Id", lambda w: cell(w.id), 29, hide_below=150),
        )

    def key_of(self, item: Webhook) -> str:
        return item.id

    def list_page(self, after: str | None) -> Awaitable[Page[Webhook]]:
        return self.client.list_webhooks(after=after)

    def open(self, item: object) -> None:
        """Show everything about one."""
        if not isinstance(item, Webhook):
            return
        lines = [
            f"Id          {item.id}",
            f"Status      {item.status}" + (f" ({item.note})" if item.note else ""),
            f"Pushes to   {item.destination}",
            f"Does        {', '.join(item.handlers)}",
            f"For         {item.environment.value}, queue {item.queue}",
            f"Tasks now   {item.open} of at most {item.concurrency}",
            f"Answers in  {item.reply_s} s; calls back within {item.callback_s:,} s",
            f"Made        {local_time(item.created_at_us)} by {item.created_by}",
        ]
        self.page.app.push_screen(Reading(item.name, "\n".join(lines), copied=item.id))

    def create(self) -> None:
        """Make one."""
        start_forms.create_webhook(self.page)

    def test(self) -> None:
        """Send a message that asks for nothing."""
        webhook = self.pointed
        if webhook is not None:
            self.page.act(
                f"Test {webhook.name}",
                partial(self.client.test_webhook, webhook.id),
                lambda tested: self._tell(f"{tested.detail} It took {tested.elapsed_ms} ms.", ok=tested.ok),
            )

    def _tell(self, sentence: str, *, ok: bool) -> None:
        self.page.notify(safe(sentence), severity="information" if ok else "error", timeout=12, markup=False)
        self.page.load()

    def rotate(self) -> None:
        """Give it another secret."""
        webhook = self.pointed
        if webhook is not None:
            self.page.ask(
                f"Give {webhook.name} another signing secret?",
                "The former one signs along for a day.",
                partial(self._rotate, webhook),
                yes="Rotate",
            )

    def _rotate(self, webhook: Webhook) -> None:
        self.page.act(
            f"Rotate {webhook.name}",
            partial(self.client.rotate_webhook, webhook.id),
            partial(start_forms.show_webhook_secret, self.page),
        )

    def remove(self) -> None:
        """Delete what is marked."""
        self.remove_each(
            "Delete {}?",
            "What it was doing is done again by others.",
            "Delete",
            lambda webhook: self.client.delete_webhook(webhook.id),
            lambda webhook: webhook.name,
        )
