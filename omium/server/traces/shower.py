"""The shower: makes executions of traces with news, in the background.

    read a trace and its spans > draw and pack (no transaction) > show (one transaction)

Two servers may draw the same trace; one of them shows it. What is spoilt is put off, so that others go on.
The process dies anywhere: the trace is still due.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

from omium.clock import US_PER_S
from omium.errors import Problem
from omium.logs import get_logger
from omium.server.db.tx import Tx
from omium.server.engine.parts import EngineParts
from omium.server.looping import Looping
from omium.server.store import traces as store
from omium.server.store.traces import TraceRow
from omium.server.traces.picture import draw, is_open
from omium.server.traces.reading import unpack_span
from omium.server.traces.showing import PackedPicture, pack_picture, show

EVERY_S: Final = 0.5
AT_ONCE: Final = 100
QUIET_US: Final = 600 * US_PER_S
"""A parent that has not come within this after the latest news does not come any more."""
UNSHOWN_US: Final = 3_600 * US_PER_S
"""How long spans are kept in whose trace nothing of an agent was seen."""
PUT_OFF_US: Final = 300 * US_PER_S
BESIDE: Final = 8
"""So many small traces are shown beside each other."""
LARGE: Final = 300
LARGE_BYTES: Final = 256 * 2**10
"""More spans than these, or longer ones, are drawn on another thread."""
SWEEP_ROWS: Final = 50

Sleep = Callable[[float], Awaitable[None]]

log = get_logger(__name__)


class Shower(Looping):
    """Shows what is due until `stop`.

    When it stops, what is being shown is committed or undone by the database.
    """

    TASK = "traces"

    def __init__(self, parts: EngineParts, *, sleep: Sleep = asyncio.sleep) -> None:
        super().__init__()
        self._parts = parts
        self._sleep = sleep

    async def run_once(self) -> int:
        """Show what is due now; returns how many traces that were."""
        due = await self._parts.db.read(lambda tx: store.list_due(tx, tx.now_us, AT_ONCE))
        small = [trace for trace in due if _is_small(trace.spans, trace.kept_bytes)]
        for start in range(0, len(small), BESIDE):
            await self._show_all(small[start : start + BESIDE])
        for trace in due:
            if not _is_small(trace.spans, trace.kept_bytes):
                await self._show_all([trace])  # alone: what it holds in memory is enough
        return len(due)

    async def _show_all(self, traces: list[TraceRow]) -> None:
        """Show traces beside each other, so that they share commits; one that is spoilt is put off."""
        ended = await asyncio.gather(*map(self._show_or_put_off, traces), return_exceptions=True)
        for error in ended:
            if error is not None:  # busy, full or stopping: the others have ended all the same
                raise error

    async def _show_or_put_off(self, trace: TraceRow) -> None:
        try:
            await self.show_trace(trace)
        except Problem:
            raise
        except Exception:  # the boundary: one trace must not keep all others from being shown
            log.exception("a trace could not be shown", execution_id=trace.execution_id)
            await self._parts.db.write(lambda tx: _put_off(tx, trace))

    async def show_trace(self, trace: TraceRow) -> None:
        """Make the execution of `trace` anew."""

        def read(tx: Tx) -> tuple[list[store.SpanRow], int]:
            return store.list_spans(tx, trace.execution_id), tx.now_us

        rows, now_us = await self._parts.db.read(read)
        closed = now_us >= trace.seen_us + QUIET_US

        def make() -> tuple[PackedPicture | None, bool]:
            spans = [unpack_span(row.span_id, row.body) for row in rows]
            picture = draw(trace.execution_id, spans, closed=closed)
            packed = pack_picture(self._parts.vault, trace.tenant_id, picture) if picture else None
            return packed, is_open(spans)

        small = _is_small(len(rows), sum(len(row.body) for row in rows))
        packed, is_waiting = make() if small else await asyncio.to_thread(make)
        due_us = trace.seen_us + QUIET_US if is_waiting and not closed else None

        def write(tx: Tx) -> None:
            shown = "hidden" if packed is None else show(tx, trace, packed)
            if shown != "changed":
                store.note_shown(tx, trace, shown=shown == "shown", closed=closed, due_us=due_us)

        await self._parts.db.write(write)

    async def _repeat(self) -> None:
        while True:
            taken = 0
            try:
                taken = await self.run_once()
            except Problem as problem:  # busy, full or stopping: the next round tries again
                log.debug("no trace could be shown", code=problem.code)
            except Exception:  # the boundary: a mistake must not end all of it until the next start
                log.exception("no trace could be shown")
            pause_s = EVERY_S if taken < AT_ONCE else EVERY_S / 10
            await self._sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311  # spreads load, hides nothing


def _is_small(spans: int, kept_bytes: int) -> bool:
    return spans <= LARGE and kept_bytes <= LARGE_BYTES


def _put_off(tx: Tx, trace: TraceRow) -> None:
    store.note_shown(tx, trace, shown=trace.shown_revision > 0, closed=False, due_us=tx.now_us + PUT_OFF_US)


def sweep_unshown(tx: Tx) -> int:
    """Remove a portion of traces that are no agent's."""
    return store.drop_unshown(tx, tx.now_us - UNSHOWN_US, SWEEP_ROWS)
