"""Circuit breaker: stops calls to what fails anyway, and finds out with a few probes when it works again.

    closed     calls pass; too large a share of failures in the window opens it
    open       no call passes until the cooldown has ended
    half-open  at most `probes` calls pass; as many successes close it, one failure opens it again

Owns the states and transitions, pure. A probe whose process died is given up after a cooldown, so a breaker
is never stuck half-open. A clock that steps back can not keep it open for longer than one cooldown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from omium.breaker.window import Window, add, fit, move, new_window, read_window, total
from omium.errors import DatabaseCorrupt
from omium.states import BreakerState

US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class CircuitPolicy:
    """When a breaker opens, and how it is probed."""

    window_us: int = 60 * US_PER_S
    min_calls: int = 10
    """Fewer calls in the window never open it."""
    failure_rate: float = 0.5
    cooldown_us: int = 30 * US_PER_S
    probes: int = 2

    def __post_init__(self) -> None:
        assert min(self.window_us, self.min_calls, self.cooldown_us, self.probes) > 0
        assert 0 < self.failure_rate <= 1


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state of one breaker; bounded, whatever happens."""

    state: BreakerState
    changed_us: int
    calls: Window
    failures: Window
    open_until_us: int = 0
    """When open: the end of the cooldown; 0 = opened by hand, until it is reset."""
    probes_started: int = 0
    probes_succeeded: int = 0
    probed_us: int = 0
    """When the last probe was let through."""

    def to_json(self) -> dict[str, object]:
        """Return the JSON object, which `from_json` reads back."""
        return {
            "state": self.state.value,
            "changed_us": self.changed_us,
            "calls": self.calls.to_json(),
            "failures": self.failures.to_json(),
            "open_until_us": self.open_until_us,
            "probes_started": self.probes_started,
            "probes_succeeded": self.probes_succeeded,
            "probed_us": self.probed_us,
        }

    @staticmethod
    def from_json(form: Mapping[str, object]) -> Breaker:
        """Return the breaker that `form` describes; `DatabaseCorrupt` if it is not one."""
        numbers: dict[str, int] = {}
        for name in ("changed_us", "open_until_us", "probes_started", "probes_succeeded", "probed_us"):
            number = form.get(name)
            if type(number) is not int:
                raise DatabaseCorrupt("The stored state of a breaker cannot be read; reset that breaker.")
            numbers[name] = number
        try:
            state = BreakerState(str(form.get("state")))
        except ValueError:
            raise DatabaseCorrupt("The stored state of a breaker is unknown; reset that breaker.") from None
        return Breaker(
            state=state,
            calls=read_window(form.get("calls")),
            failures=read_window(form.get("failures")),
            **numbers,
        )


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether one call may pass, and the state to store."""

    breaker: Breaker
    allowed: bool
    retry_after_us: int | None = None
    """If not allowed: when to ask again; None for a breaker that was opened by hand."""


def new_breaker(policy: CircuitPolicy, now_us: int) -> Breaker:
    """Return a closed breaker that has seen nothing."""
    empty = new_window(policy.window_us, now_us)
    return Breaker(BreakerState.CLOSED, now_us, empty, empty)


def admit(breaker: Breaker, policy: CircuitPolicy, now_us: int) -> Admission:
    """Decide whether one call may pass now; after the cooldown the first call is a probe."""
    match breaker.state:
        case BreakerState.CLOSED:
            return Admission(breaker, allowed=True)
        case BreakerState.OPEN:
            if breaker.open_until_us == 0:
                return Admission(breaker, allowed=False)
            left_us = breaker.open_until_us - now_us
            if left_us > policy.cooldown_us:  # the clock was stepped back, or the cooldown shortened
                breaker = replace(breaker, open_until_us=now_us + policy.cooldown_us)
                left_us = policy.cooldown_us
            if left_us > 0:
                return Admission(breaker, allowed=False, retry_after_us=left_us)
            half_open = replace(
                breaker,
                state=BreakerState.HALF_OPEN,
                changed_us=now_us,
                probes_started=0,
                probes_succeeded=0,
            )
            return _probe(half_open, now_us)
        case BreakerState.HALF_OPEN:
            if breaker.probes_started < policy.probes:
                return _probe(breaker, now_us)
            if breaker.probed_us > now_us:  # the clock was stepped back
                breaker = replace(breaker, probed_us=now_us)
            left_us = breaker.probed_us + policy.cooldown_us - now_us
            if left_us > 0:
                return Admission(breaker, allowed=False, retry_after_us=left_us)
            # The probes never reported: their processes are gone.
            return _probe(replace(breaker, probes_started=breaker.probes_succeeded), now_us)


def report(breaker: Breaker, policy: CircuitPolicy, now_us: int, *, succeeded: int, failed: int) -> Breaker:
    """Return the breaker after so many calls have ended; late ones, from before it opened, only count."""
    calls = add(fit(breaker.calls, policy.window_us, now_us), now_us, succeeded + failed)
    failures = add(fit(breaker.failures, policy.window_us, now_us), now_us, failed)
    counted = replace(breaker, calls=calls, failures=failures)
    match breaker.state:
        case BreakerState.OPEN:
            return counted
        case BreakerState.HALF_OPEN:
            if failed:
                return _open(counted, now_us, now_us + policy.cooldown_us)
            probes_succeeded = breaker.probes_succeeded + succeeded
            if probes_succeeded >= policy.probes:
                return new_breaker(policy, now_us)
            return replace(counted, probes_succeeded=probes_succeeded)
        case BreakerState.CLOSED:
            made = total(calls, now_us)
            if failed and made >= policy.min_calls and total(failures, now_us) >= policy.failure_rate * made:
                return _open(counted, now_us, now_us + policy.cooldown_us)
            return replace(counted, calls=move(calls, now_us), failures=move(failures, now_us))


def reset(policy: CircuitPolicy, now_us: int) -> Breaker:
    """Return the breaker closed by hand: what it had seen is forgotten."""
    return new_breaker(policy, now_us)


def force_open(breaker: Breaker, now_us: int) -> Breaker:
    """Return the breaker opened by hand: nothing passes until it is reset."""
    return _open(breaker, now_us, 0)


def _open(breaker: Breaker, now_us: int, until_us: int) -> Breaker:
    return replace(breaker, state=BreakerState.OPEN, changed_us=now_us, open_until_us=until_us)


def _probe(breaker: Breaker, now_us: int) -> Admission:
    probing = replace(breaker, probes_started=breaker.probes_started + 1, probed_us=now_us)
    return Admission(probing, allowed=True)
