"""Retries: whether another try follows a failed one, and when (omium/retry.py has the arithmetic)."""

from __future__ import annotations

import random

from omium.clock import US_PER_S
from omium.errorinfo import read_facts
from omium.retry import RetryPolicy, matches, next_delay_s
from omium.server.engine.mishaps import PackedError
from omium.server.store.activations import ActivationRow
from omium.spec.document import Node

_NOT_APPLIED = "EffectNotApplied"


def find_delay_us(
    node: Node, row: ActivationRow, error: PackedError, retry_after_s: float | None
) -> int | None:
    """Return how long to wait before the next try, or None if this was the last one.

    A node that says nothing is tried once. What was tried before a person resumed it does not count.
    """
    policy = policy_of(node)
    if policy is None:
        return None
    info = error.info
    delay_s = next_delay_s(
        policy,
        row.attempt - row.attempts_before,
        info,
        random=random.random,
        retry_after_s=retry_after_s,
    )
    return None if delay_s is None else round(delay_s * US_PER_S)


def policy_of(node: Node) -> RetryPolicy | None:
    return RetryPolicy.from_json(node.retry.form()) if node.retry is not None else None


def is_not_applied(node: Node, error: PackedError) -> bool:
    """Say whether an effect that failed with `error` certainly did not happen."""
    info = error.info
    facts = read_facts(info)
    if _NOT_APPLIED in facts.names:
        return True
    policy = policy_of(node)
    return policy is not None and any(matches(rule, info, facts) for rule in policy.retry_on)
