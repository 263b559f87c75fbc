"""Server-sent events: how one is written, and the loop that every stream runs.

A stream looks into the database and sends what is new; hints only wake it. It sends a comment every 15 s so
that proxies and clients know that it lives, and ends when the server stops, the key is revoked, or it falls
behind; the client goes on from its last event's id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from omium.errors import InvalidRequest
from omium.server.live import Watcher
from omium.server.web.call import POLL_INTERVAL_S, Call

SEQ_MAX = 2**63 - 1
HEARTBEAT_S = 15.0
RETRY_MS = 1_000
LOOKS_PER_HEARTBEAT = 15

HEARTBEAT = b": heartbeat\n\n"

Look = Callable[[Watcher], "AsyncIterator[bytes]"]


def encode_event(data: bytes, *, event: str | None = None, event_id: str | None = None) -> bytes:
    """Return one event; `data` is JSON without line breaks, as our encoder writes it."""
    parts = []
    if event_id is not None:
        parts.append(b"id: " + event_id.encode())
    if event is not None:
        parts.append(b"event: " + event.encode())
    parts.append(b"data: " + data)
    return b"\n".join(parts) + b"\n\n"


def read_last_event_id(call: Call, after: int | None) -> int:
    """Return the sequence to go on after: what a reconnecting client says last, else `after`, else 0."""
    text = call.headers.get("last-event-id", "").strip()
    if not text:
        return after or 0
    if not text.isdigit() or int(text) > SEQ_MAX:
        raise InvalidRequest(
            "Last-Event-ID is not a sequence number of this stream.",
            errors=[{"pointer": "header:Last-Event-ID", "detail": "is no sequence number"}],
        )
    return int(text)


async def stream_events(call: Call, topic: tuple[str, ...], look: Look) -> AsyncIterator[bytes]:
    """Yield what `look` finds, at the beginning, after every hint, and once a second on a shared database."""
    server = call.server
    shared = server.db.dialect == "postgres"
    looks_per_heartbeat = LOOKS_PER_HEARTBEAT if shared else 1
    wait_s = POLL_INTERVAL_S if shared else HEARTBEAT_S
    with server.live.watch(*topic, principal_id=call.principal.credential_id) as watcher:
        call.watchers.append(watcher)
        yield b"retry: %d\n\n" % RETRY_MS
        quiet = 0
        while not watcher.closed and not watcher.lagged:
            async for chunk in look(watcher):
                quiet = 0
                yield chunk
            woken = await watcher.wait(wait_s)
            # Also where news never pause: another server may have ended the key or the session.
            # (It may be closed by now: mypy takes what the loop has asked before waiting for true still.)
            if watcher.closed or not await server.auth.is_still_good(call.principal):  # type: ignore[redundant-expr]
                break
            if woken:
                continue
            quiet += 1
            if quiet >= looks_per_heartbeat:
                quiet = 0
                yield HEARTBEAT
        yield b"event: end\ndata: {}\n\n"
