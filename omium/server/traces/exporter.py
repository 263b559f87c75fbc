"""The exporter: tells a collector of the executions that have ended here, at least once each, in that order.

    read what ended after the cursor > send (no transaction) > move the cursor (one transaction)

The queue is the database, so a collector that is away for a day misses nothing and nothing piles up in
memory. The process dies before the cursor moves: it is told again, under the same ids. Two servers may tell
the same. What the collector calls wrong (400, 413), or takes in part, is left out with a line in the log, so
that the rest goes on: OTLP forbids to send again what was refused.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import unquote, urlsplit

from omium.clock import US_PER_S
from omium.errors import ConfigError, Problem
from omium.later import later
from omium.logs import get_logger
from omium.server.db.tx import Database, Tx
from omium.server.looping import Looping
from omium.server.outbound.addresses import TargetRefused
from omium.server.outbound.http import GuardedClient, SendFailed, check_headers
from omium.server.settings import ServerSettings
from omium.server.store import details, steps, usage
from omium.server.store import trace_exports as store
from omium.server.store.executions import ExecutionRow
from omium.server.traces.protobuf import MEDIA_TYPE, read_reply

EVERY_S: Final = 2.0
LAG_US: Final = 5 * US_PER_S
"""What ended less than this ago is not told yet: another server may still commit an earlier end."""
PAGE_ROWS: Final = 50
STEPS_MAX: Final = 5_000
WINDOW_US: Final = 60 * US_PER_S
"""What is looked at first for a page: of a long backlog not all is sorted for each page of it."""
LONGEST_PAUSE_S: Final = 60.0
LEFT_OUT: Final = frozenset({400, 413, 422})

Sleep = Callable[[float], Awaitable[None]]
_outgoing = later("omium.server.traces.outgoing")

log = get_logger(__name__)


class Exporter(Looping):
    """Tells one collector until `stop`. `endpoint` is its base, as in OTEL_EXPORTER_OTLP_ENDPOINT.

    What was being sent when it stops is sent again by the next start.
    """

    TASK = "otlp export"

    def __init__(
        self,
        db: Database,
        client: GuardedClient,
        endpoint: str,
        headers: dict[str, str],
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        super().__init__()
        self._db = db
        self._client = client
        self.target = f"{endpoint.rstrip('/')}/v1/traces"
        self._headers = {"content-type": MEDIA_TYPE, **headers}
        self._sleep = sleep
        self._failures = 0
        self._warned = ""
        self._window_us = WINDOW_US

    @classmethod
    def load(cls, settings: ServerSettings, db: Database) -> Exporter | None:
        """Return the exporter that `settings` ask for, None without one; `ConfigError` where it cannot be."""
        if not settings.otlp_export_endpoint:
            return None
        try:
            parts = urlsplit(settings.otlp_export_endpoint)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            # The operator names the collector, so it may be on a private network, and spoken to by http.
            client = GuardedClient(
                [f"{parts.hostname}:{port}"],
                timeout_s=settings.outbound_timeout_s,
                ca_file=settings.outbound_ca_file,
                variable="OMIUM_OTLP_EXPORT_ENDPOINT",
            )
            client.check_url(settings.otlp_export_endpoint)
            headers = _read_headers(settings.otlp_export_headers)
        except (TargetRefused, ValueError) as error:
            raise ConfigError(f"OMIUM_OTLP_EXPORT_ENDPOINT: {error}") from error
        return cls(db, client, settings.otlp_export_endpoint, headers)

    async def run_once(self) -> int:
        """Tell a page of what has ended; returns how many that were. Raises what sending raises."""
        cursor = await self._db.write(lambda tx: store.open_cursor(tx, self.target))
        rows = await self._db.read(lambda tx: self._list_page(tx, cursor))
        for row in rows:
            await self._tell(row)
            await self._db.write(lambda tx, r=row: store.move_cursor(tx, self.target, r))  # type: ignore[misc]
        return len(rows)

    def _list_page(self, tx: Tx, cursor: store.Cursor) -> list[ExecutionRow]:
        until_us, window_us = tx.now_us - LAG_US, self._window_us
        while True:
            end_us = min(cursor.ended_us + window_us, until_us)
            rows = store.list_ended(tx, cursor, end_us, PAGE_ROWS)
            if len(rows) == PAGE_ROWS:
                self._window_us = max(rows[-1].ended_us - cursor.ended_us, US_PER_S)  # type: ignore[operator]  # it ended
            if len(rows) == PAGE_ROWS or end_us == until_us:
                return rows
            window_us *= 4

    async def _tell(self, row: ExecutionRow) -> None:
        body = await self._db.read(lambda tx: _read(tx, row))
        if body is None:  # retention was faster
            return
        answer = await self._client.post(self.target, body, self._headers)
        if answer.status in LEFT_OUT:
            log.warning("a collector refuses an execution", execution_id=row.id, status=answer.status)
        elif not 200 <= answer.status < 300:
            raise SendFailed(f"{self.target} answered {answer.status}.")
        else:
            self._note_reply(row, answer.body)

    def _note_reply(self, row: ExecutionRow, body: bytes) -> None:
        """Log what the collector refused of an execution, and its warnings: the same one once."""
        refused, said = read_reply(body)
        if refused:
            log.warning("a collector refuses spans", execution_id=row.id, spans=refused, said=said)
        elif said and said != self._warned:
            log.warning("a collector warns", execution_id=row.id, said=said)
            self._warned = said

    async def _repeat(self) -> None:
        while True:
            told, pause_s = 0, EVERY_S
            try:
                told = await self.run_once()
                self._failures = 0
            except (SendFailed, TargetRefused) as failed:
                self._failures += 1
                pause_s = min(EVERY_S * 2.0 ** min(self._failures, 10), LONGEST_PAUSE_S)
                if self._failures == 1:
                    log.warning("a collector is away", target=self.target, error=str(failed))
            except Problem as problem:  # busy, full or stopping: the next round tries again
                log.debug("no collector was told", code=problem.code)
            except Exception:  # the boundary: a mistake must not end it until the next start
                log.exception("nothing could be told to a collector")
            if told == PAGE_ROWS:
                continue
            await self._sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311  # spreads load, hides nothing


def _read(tx: Tx, row: ExecutionRow) -> bytes | None:
    found = details.find_details(tx, row.id)
    if found is None:
        return None
    listed = steps.list_live_steps(tx, row.id, limit=STEPS_MAX + 1)
    used = usage.sum_usage_by_path(tx, row.tenant_id, row.id)
    request: bytes | None = _outgoing().make_request(row, found.error, listed, used, most=STEPS_MAX)
    return request


def _read_headers(pairs: tuple[str, ...]) -> dict[str, str]:
    headers = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ConfigError("OMIUM_OTLP_EXPORT_HEADERS holds name=value pairs, with commas in between.")
        headers[name.strip().lower()] = unquote(value.strip())  # as in OTEL_EXPORTER_OTLP_HEADERS
    try:
        check_headers(headers)
    except TargetRefused as error:
        raise ConfigError(f"OMIUM_OTLP_EXPORT_HEADERS: {error}") from error
    return headers
