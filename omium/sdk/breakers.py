"""Breakers: asking before a call whether its provider is being left alone (execution.md, Breakers).

Owns this process's view of the server's circuit breakers. While one is closed and nothing fails, calls pass
without a round trip and are reported in bulk with the next heartbeat; the first failure makes the next call
ask. If the server is away, calls pass: a breaker protects, it must not be a further thing that can fail.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from omium.breaker.verdict import Verdict, classify
from omium.clock import US_PER_S, Clock
from omium.errors import BreakerOpen, ConnectionLost, Problem
from omium.jsonvalue import JsonValue, json_bytes
from omium.sdk.exchange import exchange, parse_answer
from omium.sdk.flows import Flow
from omium.sdk.lease import SYSTEM_CLOCK

FRESH_US: Final = 5 * US_PER_S
TIMEOUT_S: Final = 5.0


@dataclass(slots=True)
class _View:
    """What is known of one breaker, and what was not reported yet."""

    closed_until_us: int = 0
    succeeded: int = 0
    failed: int = 0


class Breakers:
    """The breakers that this process uses; safe to use from several threads."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._views: dict[str, _View] = {}
        self._policies: dict[str, Mapping[str, JsonValue]] = {}

    def declare(self, name: str, policy: Mapping[str, JsonValue]) -> None:
        """Let the breaker `name` have the limits of a spec (`models.breaker.BreakerPolicy`) from now on.

        The last one to say so wins, as between versions that the engine runs.
        """
        with self._lock:
            self._policies[name] = policy

    def enter(self, name: str) -> Flow[None]:
        """Return if a call may pass the breaker `name`; raise `BreakerOpen` if it may not."""
        with self._lock:
            view = self._views.setdefault(name, _View())
            if self._clock.boot_us() < view.closed_until_us:
                return
        try:
            answer = yield from self._call(name, want_permission=True)
        except (ConnectionLost, Problem):
            return
        if not answer["allowed"]:
            wait_s = answer.get("retry_after_s")
            seconds = float(wait_s) if isinstance(wait_s, int | float) else 0.0
            raise BreakerOpen(
                f"The circuit breaker {name} is open; the next try is in {seconds:g} s.",
                name=name,
                retry_after_s=round(seconds) or 1,
            )
        if answer["state"] == "closed" and not answer.get("limited"):
            with self._lock:
                view.closed_until_us = self._clock.boot_us() + FRESH_US

    def report(self, name: str, error: Exception | None) -> None:
        """Count how a call that passed has ended; None is a success."""
        if isinstance(error, BreakerOpen):
            return  # it did not pass
        with self._lock:
            view = self._views.setdefault(name, _View())
            if error is not None and classify(error) is Verdict.FAILED:
                view.failed += 1
                view.closed_until_us = 0
            else:
                view.succeeded += 1

    def flush(self) -> Flow[None]:
        """Report what was counted."""
        with self._lock:
            names = [name for name, view in self._views.items() if view.succeeded or view.failed]
        for name in names:
            yield from self._call(name, want_permission=False)

    def _call(self, name: str, *, want_permission: bool) -> Flow[dict[str, JsonValue]]:
        with self._lock:
            view = self._views[name]
            succeeded, failed = view.succeeded, view.failed
            view.succeeded = view.failed = 0
        body: dict[str, JsonValue] = {
            "name": name,
            "succeeded": succeeded,
            "failed": failed,
            "want_permission": want_permission,
        }
        if (policy := self._policies.get(name)) is not None:
            body["policy"] = dict(policy)
        try:
            answer = parse_answer(
                (yield from exchange("POST", "/v1/breakers/calls", json_bytes(body), timeout_s=TIMEOUT_S))
            )
        except BaseException:
            with self._lock:  # they are still to be reported
                view.succeeded += succeeded
                view.failed += failed
            raise
        assert isinstance(answer, dict)
        return answer
