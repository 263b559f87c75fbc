"""Server: who works, which calls are held back, and how the server itself is."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from omium.models.account import Status
from omium.models.breaker import Breaker, BreakerLimits, SetBreaker
from omium.models.driver import Worker
from omium.models.server import Verification
from omium.models.wire import Page
from omium.money import format_credits, parse_credits
from omium.states import Scope
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.checks import credits_or_nothing, whole_number
from omium.tui.content import cell, right, safe, state
from omium.tui.dialogs import Field, Form, Reading
from omium.tui.pages.sections import Section, SectionsPage
from omium.tui.widgets.listing import Column
from omium.words import BREAKER_REASONS, ago, count, now_us, spent_in_a_minute

_TOKENS: Final = whole_number("A whole number above zero, or nothing.", least=1, most=2**53 - 1)
RESET = Action(
    "reset", "r", "reset", "Let calls through a breaker again.", "Act", scope=Scope.OPERATE, changes=True
)
HOLD = Action(
    "hold", "h", "open it", "Refuse every call through a breaker.", "Act", scope=Scope.OPERATE, changes=True
)


class Workers(Section[Worker]):
    """The processes that claim executions."""

    name = "workers"
    title = "Workers"
    empty = "No worker is there. Start one beside your code: omium worker PATH.py"
    command = "omium workers --all"

    def columns(self) -> Sequence[Column[Worker]]:
        return (
            Column("State", _worker_state, 11),
            Column("Serves", lambda w: cell(", ".join([*w.workflows, *w.handlers]))),
            Column("Queue", lambda w: cell(w.queue), 10, hide_below=90),
            Column("Slots", lambda w: right(w.concurrency), 5),
            Column("Host", lambda w: cell(f"{w.process.host_name}:{w.process.pid}"), 20, hide_below=100),
            Column("Environment", lambda w: cell(w.environment), 11, hide_below=130),
            Column("Seen", lambda w: cell(ago(w.seen_at_us, now_us())), 11),
        )

    def key_of(self, item: Worker) -> str:
        return item.id

    def list_page(self, after: str | None) -> Awaitable[Page[Worker]]:
        return self.client.list_workers(after=after)


def _worker_state(worker: Worker) -> Text:
    if worker.stopped_at_us is not None:
        return state("stopped")
    return state("active" if worker.seen else "silent")


class Breakers(Section[Breaker]):
    """Circuit breakers: whether calls are let through."""

    name = "breakers"
    title = "Breakers"
    empty = "No circuit breakers yet: they come with @omium.step(breaker=…), or a document's breaker."
    command = "omium breakers list"

    def columns(self) -> Sequence[Column[Breaker]]:
        return (
            Column("Breaker", lambda b: cell(b.name)),
            Column("State", lambda b: state(b.state.value, BREAKER_REASONS.get(b.because or "", "")), 22),
            Column("Since", lambda b: cell(ago(b.changed_at_us, now_us())), 11),
            Column("Calls", lambda b: right(b.calls), 6),
            Column("Failed", lambda b: right(b.failures), 6),
            Column("In a minute", lambda b: cell(_spent(b)), 36, hide_below=110),
            Column("Environment", lambda b: cell(b.environment), 11, hide_below=130),
        )

    def key_of(self, item: Breaker) -> str:
        return f"{item.environment}/{item.name}"

    def list_page(self, after: str | None) -> Awaitable[Page[Breaker]]:
        return self.client.list_breakers(after=after)

    def change(self) -> None:
        """Limit what is spent through it in a minute."""
        breaker = self.pointed
        if breaker is None:
            return
        tokens, credits_ = breaker.tokens_per_minute, breaker.microcredits_per_minute
        fields = [
            Field("tokens", "Tokens a minute", "" if tokens is None else str(tokens), check=_TOKENS),
            Field(
                "credits",
                "Credits a minute",
                "" if credits_ is None else format_credits(credits_).replace(",", ""),
                check=credits_or_nothing,
                help="Empty: no limit. What a workflow's document sets holds beside these.",
            ),
        ]
        self.page.app.push_screen(
            Form(f"Limits of {breaker.name}", fields, send="Set"), partial(self._limit, breaker)
        )

    def _limit(self, breaker: Breaker, given: Mapping[str, str] | None) -> None:
        if given is None:
            return
        limits = BreakerLimits(
            tokens_per_minute=int(given["tokens"]) if given["tokens"].strip() else None,
            microcredits_per_minute=parse_credits(given["credits"]) if given["credits"].strip() else None,
        )
        self.page.act(
            f"Limit breaker {breaker.name}",
            lambda: self.client.limit_breaker(breaker.name, limits),
            said=f"The limits of {breaker.name} are set.",
        )

    def set(self, verb: str, command: SetBreaker, said: str) -> None:
        """Close or open the breaker that the cursor is on."""
        breaker = self.pointed
        if breaker is not None:
            self.page.act(
                f"{verb} breaker {breaker.name}",
                lambda: self.client.set_breaker(breaker.name, command),
                said=f"{breaker.name} {said}",
            )


def _spent(breaker: Breaker) -> str:
    found = spent_in_a_minute(
        breaker.tokens, breaker.tokens_per_minute, breaker.microcredits, breaker.microcredits_per_minute
    )
    return found or "no limit"


class ServerPage(SectionsPage):
    """Workers, breakers, and the server's own health."""

    NAME: ClassVar[str] = "server"
    TITLE: ClassVar[str | None] = "Server"
    SECTIONS = (Workers, Breakers)
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        actions.PREVIOUS_TAB,
        actions.NEXT_TAB,
        actions.FILTER,
        actions.COPY,
        actions.CHANGE,
        RESET,
        HOLD,
        actions.VERIFY,
    )

    def body(self) -> ComposeResult:
        yield Static("", id="health", classes="facts", markup=False)
        yield from super().body()

    def load(self) -> None:
        super().load()
        self.fetch(self.client.get_status, self._show_status, name="health")

    def may_do(self, action: Action) -> bool:
        if action.name in {"reset", "hold"}:
            return self.section.name == "breakers"
        return action.name == "verify" or super().may_do(action)

    def _show_status(self, found: Status) -> None:
        states = [
            ("running", found.running),
            ("queued", found.queued),
            ("waiting", found.waiting),
            ("paused", found.paused),
        ]
        now = ", ".join(f"{number:,} {name}" for name, number in states if number)
        text = Text()
        text.append(safe(f"{self.client.settings.base_url}  Omium {found.server_version}") + "\n")
        text.append(f"Now       {now or 'nothing runs'}; {count(found.workers, 'worker')}\n")
        for workflow in found.unserved:
            text.append(safe(f"! {workflow}: queued, and no worker serves it") + "\n", "yellow")
        self.query_one("#health", Static).update(self.painted(text))

    def action_reset(self) -> None:
        """Close the breaker."""
        self._breakers.set("Close", SetBreaker(state="closed"), "is closed: calls go through.")

    def action_hold(self) -> None:
        """Open the breaker, after asking."""
        breaker = self._breakers.pointed
        if breaker is not None:
            open_ = partial(
                self._breakers.set, "Open", SetBreaker(state="open"), "is open: calls are refused."
            )
            self.ask(f"Refuse every call through {breaker.name}?", "", open_, yes="Open it")

    def action_verify(self) -> None:
        """Check the stored data."""
        self.notify("Checking everything that is stored …")
        self.act("Verify the stored data", self.client.verify_data, self._show_verification)

    def _show_verification(self, found: Verification) -> None:
        if found.problems:
            self.app.push_screen(Reading("Problems were found", "\n".join(found.problems)))
        else:
            self.notify(f"All is well: {count(len(found.checks), 'check')} passed.")

    @property
    def _breakers(self) -> Breakers:
        found = self.sections["breakers"]
        assert isinstance(found, Breakers)
        return found
