"""Batches: driver writes on their way to the server, from plain dicts to what each caller is told.

Owns the body of `POST /v1/writes`, how its answer is taken apart, and what happens to a batch when the server
is away, busy, or refuses it as a whole. All of it is one flow, so the thread-safe and the async writer
(batching.py) cannot differ. Every write has a natural key: sending one again that had arrived is answered as
the first time, so nothing here needs to know whether a lost answer meant a lost request.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from omium.clock import US_PER_S, Clock
from omium.errors import ConnectionLost, LeaseLostProblem, Problem, from_problem
from omium.jsonvalue import json_bytes
from omium.sdk.exchange import JSON_HEADERS, backoff_s, may_retry, parse_answer, read_problem, retry_after_s
from omium.sdk.flows import Flow, HttpAnswer, WriteOutcome, http, sleep
from omium.sdk.lease import LATE_FACTS, Lease

BATCH_WRITES_MAX: Final = 256
BATCH_GROUPS_MAX: Final = 256  # models.driver.WriteBatch
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024  # the server takes 16 MiB, so one value of 8 MiB fits with its frame
TIMEOUT_S: Final = 10.0  # sending again is safe, so an answer is not waited for long
TIMEOUT_S_MIN: Final = 0.5
LAST_WORDS: Final = frozenset({"execution.suspends", "heartbeat"})
"""Writes for which an answer is not waited for longer than their callers say: the lease tells the same."""

SPLIT_STATUSES: Final = frozenset({400, 413, 422, 500})
"""Refusals of a whole batch that can be the fault of one write in it."""

UNAVAILABLE_AFTER_S: Final = 300.0  # semantics 3.6

NEEDS_SERVER: Final = frozenset(
    {"effect.intended", "heartbeat", "slot.asked", "signal.asked", "compensation.ended", "execution.waits"}
)
"""Writes that a spool cannot stand in for, because their point is what the server answers."""

ENDINGS: Final = frozenset(
    {"execution.completed", "execution.failed", "execution.suspends", "execution.waits"}
)
"""Writes after which a driver records nothing more under its lease."""

NOT_WAITED: Final = WriteOutcome()
"""The answer to a write that goes along with another."""

_log = logging.getLogger("omium")


class Recorder(Protocol):
    """Where writes of relaxed executions go (spool.py)."""

    def append(self, lease: Lease, write_type: str, body: bytes, /) -> None:
        """Make a write durable on this host; it is fsynced when this returns."""
        ...

    def pending(self, lease: Lease, /) -> bool:
        """Say whether something of the execution has not reached the server yet."""
        ...

    def drain(self, lease: Lease, within_s: float, /, *, ends: bool = False) -> None:
        """Send what is held of the execution; `ConnectionLost` if that takes longer than `within_s`.

        `ends` says that a write follows, past the spool, after which nothing is recorded here.
        """
        ...


@dataclass(slots=True, eq=False)
class Item:
    """One write on its way. Settled when `outcome` or `error` is set."""

    lease: Lease
    kind: str
    body: bytes
    deadline_us: int
    waited: bool
    trouble: str = "The Omium server did not take a write in time; is it running? See `omium doctor`."
    outcome: WriteOutcome | None = None
    error: BaseException | None = None

    @property
    def settled(self) -> bool:
        """Say whether the caller has its answer."""
        return self.outcome is not None or self.error is not None

    def answer(self) -> WriteOutcome:
        """Return the outcome of a settled write, or raise its error."""
        if self.error is not None:
            raise self.error
        assert self.outcome is not None
        return self.outcome

    def refuse(self, error: BaseException) -> None:
        """Settle with an error; one that nobody waits for is told to the log."""
        self.error = error
        if not self.waited:
            _log.warning("A %s of execution %s was refused: %s", self.kind, self.lease.execution_id, error)


ItemT = TypeVar("ItemT", bound=Item)


def encode_write(lease: Lease, write: Mapping[str, object]) -> tuple[str, bytes]:
    """Return (type, JSON bytes) of `write`.

    Raises what `Lease.require` raises, `Unserialisable` if it is not JSON.
    """
    kind = str(write["type"])
    lease.require(kind)
    return kind, json_bytes(write)  # type: ignore[arg-type]  # it raises Unserialisable itself


def take_batch(queue: deque[ItemT]) -> list[ItemT]:
    """Take the longest head of `queue` that one request may carry; at least one write."""
    batch: list[ItemT] = []
    leases: set[Lease] = set()
    size_bytes = 0
    while queue and len(batch) < BATCH_WRITES_MAX:
        item = queue[0]
        size_bytes += len(item.body)
        leases.add(item.lease)
        if batch and (size_bytes > BATCH_BYTES_MAX or len(leases) > BATCH_GROUPS_MAX):
            break
        batch.append(queue.popleft())
    return batch


def deliver(batch: Sequence[Item], clock: Clock, before_sleep: Callable[[], None]) -> Flow[None]:
    """Send `batch` until each of its writes is settled. `before_sleep` runs before each wait.

    A refusal of the whole that one write may have caused is answered by sending halves, so that no write pays
    for its neighbour. Order within an execution is kept: halves go one after the other.
    """
    parcels = deque([list(batch)])
    failures = 0
    while parcels:
        parcel = _still_wanted(parcels.popleft())
        if not parcel:
            continue
        try:
            answer = yield from http(
                "POST",
                "/v1/writes",
                encode(parcel),
                headers=JSON_HEADERS,
                timeout_s=_timeout_s(parcel, clock),
            )
            left, delay_s = _settle(parcel, answer)
        except ConnectionLost as error:
            left, delay_s = _note_trouble(parcel, str(error)), 0.0
            expire(left, clock.boot_us())
        if delay_s is None:
            middle = len(left) // 2
            parcels.extendleft([left[middle:], left[:middle]])
            continue
        if not left:
            failures = 0
            continue
        parcels.appendleft(left)
        patience_s = (min(item.deadline_us for item in left) - clock.boot_us()) / US_PER_S
        delay_s = min(max(delay_s, backoff_s(failures)), max(patience_s, 0.0))
        failures += 1
        before_sleep()
        yield from sleep(delay_s)
        expire(left, clock.boot_us())


def _timeout_s(parcel: Sequence[Item], clock: Clock) -> float:
    """Return how long an answer is waited for: of last words alone no longer than their callers wait.

    A result was paid for, so that it is waited for in full, also by a worker that stops: a server that takes
    its time is no different, from here, from one that hangs.
    """
    if any(item.kind not in LAST_WORDS for item in parcel):
        return TIMEOUT_S
    patience_s = (max(item.deadline_us for item in parcel) - clock.boot_us()) / US_PER_S
    return min(max(patience_s, TIMEOUT_S_MIN), TIMEOUT_S)


def encode(parcel: Iterable[Item]) -> bytes:
    """Return the body of one request: a group per lease, writes in their order."""
    groups: dict[Lease, list[bytes]] = {}
    for item in parcel:
        groups.setdefault(item.lease, []).append(item.body)
    return b'{"groups":[%b]}' % b",".join(
        b'%b,"writes":[%b]}' % (lease.group_prefix, b",".join(writes)) for lease, writes in groups.items()
    )


def expire(items: Iterable[Item], now_us: int) -> None:
    """Settle with `ConnectionLost`, and with what happened last, what has waited for as long as it may."""
    for item in items:
        if not item.settled and now_us >= item.deadline_us:
            item.refuse(ConnectionLost(item.trouble))


def hurry(items: Iterable[Item], now_us: int, within_s: float) -> None:
    """Bring the deadlines of `items` forward."""
    for item in items:
        item.deadline_us = min(item.deadline_us, seconds_from(now_us, within_s))


def _note_trouble(items: list[Item], trouble: str) -> list[Item]:
    for item in items:
        item.trouble = trouble
    return items


def _still_wanted(parcel: list[Item]) -> list[Item]:
    """Leave out what is settled, and settle what a lost lease makes pointless."""
    wanted = []
    for item in parcel:
        if item.settled:
            continue
        if item.lease.lost is not None and item.kind not in LATE_FACTS:
            item.refuse(item.lease.lose(item.lease.lost))
        else:
            wanted.append(item)
    return wanted


def _settle(parcel: list[Item], answer: HttpAnswer) -> tuple[list[Item], float | None]:
    """Settle what `answer` settles. Return what is to be sent again and after how long, None: in halves."""
    if answer.status < 300:
        return _settle_each(parcel, answer)
    problem = read_problem(answer)
    if may_retry(problem):
        return _note_trouble(parcel, f"The Omium server refused it: {problem}"), retry_after_s(
            answer, problem
        )
    if answer.status in SPLIT_STATUSES and len(parcel) > 1:
        return parcel, None
    for item in parcel:
        item.refuse(read_problem(answer))  # one of its own each: two threads must not raise the same object
    return [], 0.0


def _settle_each(parcel: list[Item], answer: HttpAnswer) -> tuple[list[Item], float | None]:
    groups: dict[Lease, list[Item]] = {}
    for item in parcel:
        groups.setdefault(item.lease, []).append(item)
    again: list[Item] = []
    delay_s = 0.0
    for (lease, items), group in zip(groups.items(), _read_groups(answer, groups.values()), strict=True):
        flags = {name: value for name, value in group.items() if name != "results"}
        lease.hear(flags)
        accepted = False
        for item, result in zip(items, group["results"], strict=True):
            body = result.get("problem")
            if body is None:
                item.outcome = WriteOutcome(result, flags)
                accepted = True
                continue
            problem = from_problem(body, int(body.get("status", 500)))
            if problem.retryable:
                item.trouble = f"The Omium server refused it: {problem}"
                again.append(item)
                delay_s = max(delay_s, retry_after_s(answer, problem))
            else:
                item.refuse(_meaning(problem, lease))
        if accepted and lease.lost is None:
            lease.note_ack(answer.sent_us)
    return again, delay_s


def _read_groups(answer: HttpAnswer, asked: Iterable[list[Item]]) -> list[dict[str, Any]]:
    """Return the groups of a `WriteAnswer`; `ConnectionLost` unless it answers exactly what was asked."""
    body = parse_answer(answer)
    groups = body.get("groups") if isinstance(body, dict) else None
    if isinstance(groups, list) and [len(group["results"]) for group in groups] == [len(i) for i in asked]:
        return groups
    raise ConnectionLost("What answered is not an Omium server of this version: its reply has another form.")


def _meaning(problem: Problem, lease: Lease) -> BaseException:
    """Return what the driver has to raise: a lost lease ends every branch of it, the rest is its own."""
    return lease.lose(problem.detail) if isinstance(problem, LeaseLostProblem) else problem


def seconds_from(now_us: int, seconds: float) -> int:
    """Return the boot time that is `seconds` after `now_us`."""
    return now_us + round(seconds * US_PER_S)


def spooled_outcome(lease: Lease) -> WriteOutcome:
    """Return the answer to a write that waits in the spool: with what the server said last."""
    return WriteOutcome(
        {}, {"cancel_requested": lease.cancel_requested, "suspend": lease.suspend}, spooled=True
    )
