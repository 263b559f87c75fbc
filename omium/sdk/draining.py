"""Draining: what a spool file holds is sent in its order, and every answer has its consequence.

Owns the table of answers (semantics 3.7). Taken: next. The execution belongs to another driver, or its start
met another execution: what follows is rejected, only usage and effects are still told. The key is not good
here: everything stays for a better one. The entry itself is refused: it alone is rejected. No answer: later.
Writes are sent by the same flow as live ones (batch.py), under the live lease where there is one, so that a
cancel reaches a relaxed driver too. Files and their bounds are spooling.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from omium.clock import Clock
from omium.errors import ConnectionLost, LeaseLost, Problem
from omium.sdk.batch import BATCH_BYTES_MAX, BATCH_WRITES_MAX, Item, deliver, seconds_from
from omium.sdk.exchange import exchange
from omium.sdk.flows import Flow
from omium.sdk.lease import Lease

KEPT_STATUSES: Final = frozenset({401, 402, 403})
"""Answers to the key and not to the entry: another key of the same tenant may be taken."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One frame of a spool file, taken apart. `kind` is start or write."""

    seq: int
    kind: str
    lease: Lease
    body: bytes
    write_type: str = ""


@dataclass(slots=True)
class Drained:
    """What became of a drain. `kept` says why it stopped early, None if everything was dealt with."""

    sent: int = 0
    rejected: int = 0
    kept: Exception | None = None


def encode_start(body: bytes, lease: Lease) -> bytes:
    """Return the frame of a start that was made while the server was away; `body` is a StartExecution."""
    return b'{"kind":"start","epoch":%d,"lease_token":%b,"body":%b}' % (lease.epoch, _text(lease.token), body)


def encode_entry(write_type: str, body: bytes, lease: Lease) -> bytes:
    """Return the frame of a driver write."""
    token = _text(lease.token)
    return b'{"kind":"write","type":%b,"epoch":%d,"lease_token":%b,"body":%b}' % (
        _text(write_type),
        lease.epoch,
        token,
        body,
    )


def read_entries(
    frames: Iterable[tuple[int, bytes]], find_lease: Callable[[int, str], Lease]
) -> Iterator[Entry]:
    """Take frames apart. `find_lease` gives the lease of (epoch, token)."""
    for seq, frame in frames:
        head, _, body = frame.partition(b',"body":')  # the body itself is passed on as it is
        fields: dict[str, Any] = json.loads(head + b"}")
        lease = find_lease(fields["epoch"], fields["lease_token"])
        yield Entry(seq, fields["kind"], lease, body[:-1], fields.get("type", ""))


def drain(
    entries: Iterator[Entry],
    *,
    within_s: float,
    clock: Clock,
    acknowledge: Callable[[int], None],
    reject: Callable[[Entry, Exception], None],
) -> Flow[Drained]:
    """Send `entries` in order until all are dealt with, the server stays away, or the key is refused.

    `acknowledge(seq)` is called when all up to that one are dealt with, `reject` before it for each that the
    server refuses for good. Dying between answer and acknowledgement sends entries again: nothing changes.
    """
    done = Drained()
    for parcel in _parcels(entries):
        if parcel[0].kind == "start":
            answers = [(yield from _send_start(parcel[0], within_s, clock))]
        else:
            answers = yield from _send_writes(parcel, within_s, clock)
        for entry, error in zip(parcel, answers, strict=True):
            if isinstance(error, ConnectionLost) or _is_kept(error):
                done.kept = error
                return done
            if error is None:
                done.sent += 1
            else:
                reject(entry, error)
                done.rejected += 1
        acknowledge(parcel[-1].seq)
    return done


def _is_kept(error: Exception | None) -> bool:
    return isinstance(error, Problem) and error.status in KEPT_STATUSES


def _parcels(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    """Group writes that follow one another as one request can carry them; a start goes alone."""
    parcel: list[Entry] = []
    size_bytes = 0
    for entry in entries:
        full = len(parcel) >= BATCH_WRITES_MAX or size_bytes + len(entry.body) > BATCH_BYTES_MAX
        if parcel and (full or "start" in {entry.kind, parcel[0].kind}):
            yield parcel
            parcel, size_bytes = [], 0
        parcel.append(entry)
        size_bytes += len(entry.body)
    if parcel:
        yield parcel


def _send_start(entry: Entry, within_s: float, clock: Clock) -> Flow[Exception | None]:
    """Send a start that was made offline; its id and lease token are in it, so a repeat is the same start."""
    try:
        yield from exchange(
            "POST",
            "/v1/executions",
            entry.body,
            idempotency_key=entry.lease.execution_id,
            retry_for_s=within_s,
            clock=clock,
        )
    except ConnectionLost as error:
        return error
    except Problem as problem:
        if problem.retryable:
            return ConnectionLost(str(problem))
        if problem.status not in KEPT_STATUSES:
            entry.lease.lose(f"The execution could not be started as it was here: {problem}")
        return problem
    return None


def _send_writes(parcel: list[Entry], within_s: float, clock: Clock) -> Flow[list[Exception | None]]:
    deadline_us = seconds_from(clock.boot_us(), within_s)
    items = [Item(each.lease, each.write_type, each.body, deadline_us, waited=True) for each in parcel]
    yield from deliver(items, clock, lambda: None)
    return [_error_of(item) for item in items]


def _error_of(item: Item) -> Exception | None:
    if isinstance(item.error, LeaseLost):
        return RuntimeError(str(item.error))  # an entry is rejected for it, nobody is stopped here
    assert item.error is None or isinstance(item.error, Exception)
    return item.error


def _text(text: str) -> bytes:
    return json.dumps(text).encode()
