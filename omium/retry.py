"""Retry: whether a failed attempt is followed by another, and after how long.

Owns the policy and its arithmetic; pure, with the randomness handed in. Who counts attempts, waits and
records is the SDK's or the engine's matter. Errors are exceptions or the JSON of an `ErrorInfo`, so that a
driver and the server decide alike.
"""

from __future__ import annotations

import math
import random as system_random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from omium.errorinfo import ErrorFacts, read_facts
from omium.errors import ConfigError

ErrorRule: TypeAlias = "type[BaseException] | str | int"
"""A class, a class name (plain or qualified), an error's `code`, or an HTTP status: 429, "429", "5xx"."""

ATTEMPTS_MAX = 1_000
DELAY_S_MAX = 7 * 86_400.0
RETRY_AFTER_CAP_S = 3_600.0  # a provider that says "tomorrow" is asked again every hour
_SPREAD = 0.1  # of a Retry-After, so that all who were told the same do not come back at once

_STATUS: Final = re.compile(r"[1-5](?:[0-9]{2}|xx)")
_FIELDS: Final = (
    "max_attempts",
    "initial_delay_s",
    "multiplier",
    "max_delay_s",
    "jitter",
    "retry_on",
    "give_up_on",
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a step is tried, and how long is waited in between.

    With an empty `retry_on` every `Exception` is retried that `give_up_on` does not name. `ConfigError` if
    a number makes no sense.
    """

    max_attempts: int = 3
    """Attempts in all; 1 means no retry."""
    initial_delay_s: float = 1.0
    multiplier: float = 2.0
    max_delay_s: float = 60.0
    jitter: bool = True
    """Full jitter: the delay is drawn evenly from zero to what it would be without."""
    retry_on: tuple[ErrorRule, ...] = ()
    give_up_on: tuple[ErrorRule, ...] = ()
    """Wins over `retry_on`."""

    def __post_init__(self) -> None:
        for name in ("retry_on", "give_up_on"):
            object.__setattr__(self, name, _read_rules(name, getattr(self, name)))
        if type(self.max_attempts) is not int or not 1 <= self.max_attempts <= ATTEMPTS_MAX:
            raise ConfigError(
                f"max_attempts is a whole number from 1 to {ATTEMPTS_MAX}, not {self.max_attempts!r}."
            )
        for name, least in (("initial_delay_s", 0.0), ("multiplier", 1.0), ("max_delay_s", 0.0)):
            number = getattr(self, name)
            if (
                isinstance(number, bool)
                or not isinstance(number, int | float)
                or not least <= number <= DELAY_S_MAX
            ):
                raise ConfigError(f"{name} is a number from {least:g} to {DELAY_S_MAX:g}, not {number!r}.")
        if type(self.jitter) is not bool:
            raise ConfigError(f"jitter is true or false, not {self.jitter!r}.")

    def delay_s(self, attempt: int, error: BaseException | Mapping[str, object]) -> float | None:
        """Return `next_delay_s` with the system's randomness."""
        return next_delay_s(self, attempt, error, random=system_random.random)

    def to_json(self) -> dict[str, object]:
        """Return the policy as a spec holds it; classes become their qualified names."""
        return {
            **{name: getattr(self, name) for name in _FIELDS[:5]},
            "retry_on": [_name_rule(rule) for rule in self.retry_on],
            "give_up_on": [_name_rule(rule) for rule in self.give_up_on],
        }

    @staticmethod
    def from_json(form: Mapping[str, object]) -> RetryPolicy:
        """Return the policy that `form` describes; `ConfigError` for unknown fields and wrong values."""
        if unknown := sorted(set(form) - set(_FIELDS)):
            raise ConfigError(f"A retry policy has no field {unknown[0]!r}; it has {', '.join(_FIELDS)}.")
        return RetryPolicy(**form)  # type: ignore[arg-type]  # checked by __post_init__


def next_delay_s(
    policy: RetryPolicy,
    attempt: int,
    error: BaseException | Mapping[str, object],
    *,
    random: Callable[[], float],
    retry_after_s: float | None = None,
) -> float | None:
    """Return how long to wait before the next attempt, or None if `attempt` (from 1) was the last.

    `random` returns a number from 0 to below 1. `retry_after_s`, by default what the error itself says,
    wins over the policy's own delay; it is waited for at least, and at most an hour.
    """
    if attempt >= policy.max_attempts or not may_retry(policy, error):
        return None
    asked_s = retry_after_s if retry_after_s is not None else read_facts(error).retry_after_s
    if asked_s is not None and 0 < asked_s < math.inf:
        waited_s = min(asked_s, RETRY_AFTER_CAP_S)
        return waited_s + waited_s * _SPREAD * random()
    ceiling_s = _backoff_s(policy, attempt)
    return ceiling_s * random() if policy.jitter else ceiling_s


def may_retry(policy: RetryPolicy, error: BaseException | Mapping[str, object]) -> bool:
    """Say whether `policy` would try again after `error`, whatever the number of the attempt.

    A group of exceptions is retried only if each of its members would be. What is no `Exception` (a
    cancellation, Ctrl-C) never is.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(may_retry(policy, each) for each in error.exceptions)
    if isinstance(error, BaseException) and not isinstance(error, Exception):
        return False
    facts = read_facts(error)
    if any(matches(rule, error, facts) for rule in policy.give_up_on):
        return False
    return not policy.retry_on or any(matches(rule, error, facts) for rule in policy.retry_on)


def matches(rule: ErrorRule, error: BaseException | Mapping[str, object], facts: ErrorFacts) -> bool:
    """Say whether `rule` means `error`."""
    if isinstance(rule, type):
        return (
            isinstance(error, rule) if isinstance(error, BaseException) else _name_rule(rule) in facts.names
        )
    if isinstance(rule, int):
        return facts.status == rule
    if _STATUS.fullmatch(rule) and facts.status is not None:
        return rule in (str(facts.status), f"{facts.status // 100}xx")
    return rule in facts.names or (rule == facts.code != "")


def _backoff_s(policy: RetryPolicy, attempt: int) -> float:
    try:
        grown_s = policy.initial_delay_s * policy.multiplier ** (attempt - 1)
    except OverflowError:  # far beyond any cap
        return policy.max_delay_s if policy.initial_delay_s else 0.0
    return min(grown_s, policy.max_delay_s)


def _read_rules(name: str, given: object) -> tuple[ErrorRule, ...]:
    """Return the rules in `given`, which may be a single one or any number of them."""
    rules = given if isinstance(given, Iterable) and not isinstance(given, str | type) else (given,)
    found: list[ErrorRule] = []
    rule: Any
    for rule in rules:
        is_class = isinstance(rule, type) and issubclass(rule, BaseException)
        is_status = type(rule) is int and 100 <= rule <= 599
        if not (is_class or is_status or (isinstance(rule, str) and rule)):
            raise ConfigError(
                f"{name} takes exception classes, their names, error codes and HTTP statuses, not {rule!r}."
            )
        found.append(rule)
    return tuple(found)


def _name_rule(rule: ErrorRule) -> str | int:
    if not isinstance(rule, type):
        return rule
    return rule.__qualname__ if rule.__module__ == "builtins" else f"{rule.__module__}.{rule.__qualname__}"
