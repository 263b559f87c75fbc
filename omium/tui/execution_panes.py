"""The lists of one execution's page: events, checkpoints, logs, tries, side effects, costs, relatives.

Owns what each shows and how it is asked for; the page (pages/execution.py) decides when.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from rich.text import Text

from omium.errors import NotInBundle, Problem
from omium.models.execution import Checkpoint, Event, Execution, ExecutionDetail, StepAttempt
from omium.models.log import StepLogLine
from omium.models.wire import Page
from omium.sdk.async_client import AsyncClient
from omium.tui.content import cell, right, state
from omium.tui.widgets.listing import Column
from omium.words import ago, local_time, now_us, number, size, span

PAGE: Final = 200
STREAM_S: Final = 10.0
"""A stream that stands still for so long is left; what came of it is shown."""


@dataclass(frozen=True, slots=True)
class Pane:
    """A list: `ask(client, detail, path, after)` gives a page of it, `path` being the step pointed at.

    With `newer` new items come at its end, and that gives those between two numbers of events.
    """

    name: str
    title: str
    columns: tuple[Column[Any], ...]
    key_of: Callable[[Any], str]
    ask: Callable[[AsyncClient, ExecutionDetail, str, str | None], Awaitable[Page[Any]]]
    empty: str
    of_step: bool = False
    newer: Callable[[AsyncClient, ExecutionDetail, int], Awaitable[Page[Any]]] | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of a pane that is put together from several lists; `whole` is what enter shows."""

    key: str
    what: str
    step: str
    tone_state: str
    amount: str
    at_us: int | None
    whole: Mapping[str, object] = field(repr=False)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Relative:
    """An execution that belongs to the one that is shown."""

    relation: str
    execution: Execution


# --------------------------------------------------------------------------------------------- events
async def _events(client: AsyncClient, detail: ExecutionDetail, _: str, after: str | None) -> Page[Event]:
    return await client.list_events(detail.id, limit=PAGE, after=after)


async def _newer_events(client: AsyncClient, detail: ExecutionDetail, after: int) -> Page[Event]:
    """Return the events behind number `after`, up to the last that is known: lists have no such cursor."""
    found: list[Event] = []
    if detail.last_seq > after:
        # a generator, whatever its type says: left before its end, it has to be closed
        stream = cast("AsyncGenerator[Event]", client.stream_execution_events(detail.id, after=after))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STREAM_S), contextlib.aclosing(stream) as events:
                async for event in events:
                    found.append(event)
                    if event.seq >= detail.last_seq:
                        break
    return Page[Event](items=found)


def event_words(event: Event) -> str:
    """Return what an event tells beside its type."""
    data = event.data if isinstance(event.data, dict) else {}
    parts = [(name, part) for name, part in data.items() if part not in (None, "", 0, False)]
    return "  ".join(f"{name}={_short(part)}" for name, part in parts)


def _short(part: object) -> str:
    return part[:200] if isinstance(part, str) else json.dumps(part, ensure_ascii=False)[:200]


def _event_type(event: Event) -> Text:
    bad = event.type.endswith((".failed", ".interrupted", ".unknown", ".silenced"))
    good = event.type.endswith((".completed", ".done"))
    return cell(event.type, "red" if bad else "green" if good else "")


# ------------------------------------------------------------------------------ checkpoints, logs, tries
async def _checkpoints(
    client: AsyncClient, detail: ExecutionDetail, _: str, after: str | None
) -> Page[Checkpoint]:
    return await client.list_checkpoints(detail.id, limit=PAGE, after=after)


async def _logs(
    client: AsyncClient, detail: ExecutionDetail, path: str, after: str | None
) -> Page[StepLogLine]:
    return await client.list_logs(detail.id, path=path or None, limit=PAGE, after=after)


_LEVELS: Final[Mapping[str, str]] = {
    "error": "red", "critical": "red", "warning": "yellow", "debug": "dim", "stderr": "yellow",
    "omium": "dim",
}  # fmt: skip


def _log_text(line: StepLogLine) -> Text:
    return cell(line.text, _LEVELS.get((line.level or line.stream).lower(), ""))


async def _tries(
    client: AsyncClient, detail: ExecutionDetail, path: str, after: str | None
) -> Page[StepAttempt]:
    return await client.list_attempts(detail.id, path=path or None, limit=PAGE, after=after)


def _waited(each: StepAttempt) -> str:
    return "-" if each.delay_us is None else span(each.delay_us)


def error_words(error: object) -> str:
    """Return an error in a line."""
    if not isinstance(error, dict):
        return "" if error is None else str(error)
    return f"{error.get('type', 'Error')}: {error.get('message', '')}"


# --------------------------------------------------------------------------------------------- effects
async def _effects(client: AsyncClient, detail: ExecutionDetail, _: str, after: str | None) -> Page[Fact]:
    page = await client.list_effects(detail.id, limit=PAGE, after=after)
    facts = [
        Fact(
            each.effect_key, "side effect", each.key, each.state, f"{each.attempt}", each.intended_at_us,
            each.model_dump(mode="json"),
            "compensated" if each.compensated else f"undone by {each.compensate}" if each.compensate else "",
        )
        for each in page.items
    ]  # fmt: skip
    if page.next is None:
        async for each in client.each(client.list_compensations, detail.id, limit=PAGE):
            key = f"{each.generation}/{each.position}"
            facts.append(
                Fact(
                    key,
                    "compensation",
                    each.key,
                    each.status,
                    f"{each.attempt}",
                    None,
                    each.model_dump(mode="json"),
                    f"by {each.compensate}",
                )
            )
    return Page[Fact](items=facts, next=page.next)


# ----------------------------------------------------------------------------------------------- costs
async def _costs(client: AsyncClient, detail: ExecutionDetail, _: str, after: str | None) -> Page[Fact]:
    """Return what was used, then what was booked, for those who may see the ledger."""
    kind, _sep, cursor = (after or "usage:").partition(":")
    if kind == "usage":
        page = await client.list_usage(execution_id=detail.id, limit=PAGE, after=cursor or None)
        facts = [
            Fact(
                each.id, f"{each.provider or ''} {each.model or ''}".strip() or "usage", each.path or "", "",
                "-" if each.charged_microcredits is None else number(each.charged_microcredits / 1e6),
                each.at_us, each.model_dump(mode="json"),
                f"{each.input_tokens:,} tokens in, {each.output_tokens:,} out",
            )
            for each in page.items
        ]  # fmt: skip
        return Page[Fact](items=facts, next=f"usage:{page.next}" if page.next else "booked:")
    try:
        booked = await client.list_credit_history(
            execution=detail.id, unfolded=True, limit=PAGE, after=cursor or None
        )
    except Problem as problem:
        if problem.status != 403:
            raise
        return Page[Fact](items=[], next=None)
    entries = [
        Fact(
            f"entry {each.seq}", f"booked: {each.kind.value}", each.path or "", "", number(each.credits),
            each.at_us, each.model_dump(mode="json"), each.note or "",
        )
        for each in booked.items
    ]  # fmt: skip
    return Page[Fact](items=entries, next=f"booked:{booked.next}" if booked.next else None)


# ------------------------------------------------------------------------------------------- relatives
async def _relatives(
    client: AsyncClient, detail: ExecutionDetail, _: str, after: str | None
) -> Page[Relative]:
    """Return where it comes from, then what came of it; children and replays go on page by page."""
    kind, _sep, cursor = (after or "child:").partition(":")
    found: list[Relative] = []
    if after is None:
        origins = [("parent", detail.parent_id), ("replay of", detail.replay_of)]
        if detail.lineage_root not in (detail.id, detail.replay_of):
            origins.append(("first of all", detail.lineage_root))
        wanted = [(relation, each) for relation, each in origins if each is not None]
        known = await asyncio.gather(*(_find(client, each) for _, each in wanted))
        found = [Relative(wanted[at][0], each) for at, each in enumerate(known) if each is not None]
    if kind == "child":
        page = await client.list_executions(parent=detail.id, limit=PAGE, after=cursor or None)
        following: str | None = f"child:{page.next}" if page.next else "replay:"
    else:
        page = await client.list_executions(replay_of=detail.id, limit=PAGE, after=cursor or None)
        following = f"replay:{page.next}" if page.next else None
    found += [Relative(kind, each) for each in page.items]
    return Page[Relative](items=found, next=following)


async def _find(client: AsyncClient, execution_id: str) -> Execution | None:
    try:
        return await client.get_execution(execution_id)
    except NotInBundle:
        return None
    except Problem as problem:  # it is gone
        if problem.status in (401, 403):
            raise
        return None


PANES: Final[tuple[Pane, ...]] = (
    Pane(
        "events", "Events",
        (
            Column("#", lambda each: right(each.seq, "dim"), 6),
            Column("WHEN", lambda each: cell(local_time(each.at_us)[11:], "dim"), 8),
            Column("EVENT", _event_type, 22),
            Column("WHAT", lambda each: cell(event_words(each))),
        ),
        lambda each: str(each.seq), _events, "Nothing has happened to it yet.", newer=_newer_events,
    ),
    Pane(
        "checkpoints", "Checkpoints",
        (
            Column("CHECKPOINT", lambda each: cell(each.name)),
            Column("EVENT", lambda each: right(each.seq), 6),
            Column("IN STEP", lambda each: cell(each.key or "-"), 18, 70),
            Column("SIZE", lambda each: right(size(each.state_size_bytes)), 8),
            Column("SAVED", lambda each: cell(ago(each.created_at_us, now_us())), 11),
            Column("", lambda each: cell("" if each.superseded_seq is None else "superseded", "dim"), 10, 90),
        ),
        lambda each: each.id, _checkpoints,
        "It saved no state with checkpoint(name, state). Steps are recorded anyway.",
    ),
    Pane(
        "logs", "Logs",
        (
            Column("WHEN", lambda each: cell(local_time(each.at_us)[11:], "dim"), 8),
            Column("STEP", lambda each: cell(each.key, "cyan"), 16, 60),
            Column("LEVEL", lambda each: cell(each.level or each.stream, "dim"), 7, 50),
            Column("LINE", _log_text),
        ),
        lambda each: f"{each.key} {each.attempt} {each.at_us} {each.stream} {each.text}", _logs,
        "Nothing was captured: the step printed and logged nothing, or omium.init(capture=False) is used.",
        of_step=True,
    ),
    Pane(
        "tries", "Tries",
        (
            Column("STEP", lambda each: cell(each.key), 20),
            Column("TRY", lambda each: right(each.attempt), 4),
            Column("ERROR", lambda each: cell(error_words(each.error), "red")),
            Column("TOOK", lambda each: right(span(each.ended_at_us - each.started_at_us)), 7),
            Column("WAITED", lambda each: right(_waited(each)), 7, 70),
        ),
        lambda each: f"{each.key} {each.generation} {each.attempt} {each.epoch}", _tries,
        "No try has failed.", of_step=True,
    ),
    Pane(
        "effects", "Effects",
        (
            Column("STEP", lambda each: cell(each.step)),
            Column("WHAT", lambda each: cell(each.what), 12, 60),
            Column("STATE", lambda each: state(each.tone_state), 14),
            Column("TRIES", lambda each: right(each.amount), 5, 70),
            Column("", lambda each: cell(each.note, "dim"), 22, 80),
        ),
        lambda each: each.key, _effects,
        "It has no side effects: none of its steps is marked effect=True.",
    ),
    Pane(
        "cost", "Cost",
        (
            Column("WHAT", lambda each: cell(each.what), 20),
            Column("STEP", lambda each: cell(each.step or "-")),
            Column("CREDITS", lambda each: right(each.amount), 9),
            Column("", lambda each: cell(each.note, "dim"), 28, 76),
        ),
        lambda each: each.key, _costs, "Nothing was used or booked.",
    ),
    Pane(
        "family", "Family",
        (
            Column("IS", lambda each: cell(each.relation), 12),
            Column(
                "STATUS",
                lambda each: state(each.execution.status.value, each.execution.reason or ""), 20,
            ),
            Column("WORKFLOW", lambda each: cell(each.execution.workflow)),
            Column("ID", lambda each: cell(each.execution.id, "dim"), 29, 80),
            Column("STARTED", lambda each: cell(ago(each.execution.created_at_us, now_us())), 11),
        ),
        lambda each: f"{each.relation} {each.execution.id}", _relatives,
        "It has no parent, no children and no replays. r replays it.",
    ),
)  # fmt: skip
