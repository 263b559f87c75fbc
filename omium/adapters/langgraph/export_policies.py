"""Policies: a node's retry, timeout, cache and the rest, as a spec says them.

Owns the translation of LangGraph's policies and of Omium's own (`NodePolicy`), which win because they are the
outer ones. What a spec has no field for stands beside it under an `x-` name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from langgraph.types import CachePolicy, RetryPolicy

from omium.adapters.documents import describe_checkpoint
from omium.adapters.langgraph.nodes import NodePolicy
from omium.adapters.langgraph.reading_code import Code
from omium.jsonvalue import JsonValue
from omium.sdk.options import make_policy
from omium.spec.limits import TIMEOUT_S_MAX

_DELAY_S_MAX = 7 * 86_400.0


def list_retries(policy: Any) -> list[Any]:
    """Return LangGraph's retry policies; one is a tuple itself, so that it must not be taken for several."""
    if policy is None:
        return []
    return [policy] if hasattr(policy, "max_attempts") else list(policy)


def policies_of(spec: Any, own: NodePolicy | None) -> dict[str, JsonValue]:
    """Return the fields of a node that say its policies."""
    made: dict[str, JsonValue] = {}
    retries = list_retries(getattr(spec, "retry_policy", None))
    if retries:
        made["retry"] = _retry(retries[0])
        rules = [rule for each in retries for rule in _retry_code(each)]
        if rules:
            made["x-retry-on"] = [*rules]
        if len(retries) > 1:
            made["x-retries"] = [_retry(each) for each in retries]
    made |= _timeouts(getattr(spec, "timeout", None))
    cache = getattr(spec, "cache_policy", None)
    if isinstance(cache, CachePolicy):
        key: dict[str, JsonValue] = {"key": Code.of(cache.key_func).ref}
        made["cache"] = key | ({"ttl_s": cache.ttl} if cache.ttl is not None else {})
    if getattr(spec, "defer", False):
        made["defer"] = True
    return made | (_own(own) if own is not None else {})


def _own(policy: NodePolicy) -> dict[str, JsonValue]:
    made: dict[str, JsonValue] = {}
    if policy.retry is not None:
        form = make_policy(policy.retry).to_json()
        made["retry"] = {name: _json(value) for name, value in form.items()}
    if policy.timeout_s is not None:
        made["timeout_s"] = float(policy.timeout_s)
    if policy.concurrency is not None:
        made["concurrency"] = policy.concurrency.to_json()
    if policy.breaker is not None:
        made["breaker"] = policy.breaker
    if policy.effect:
        made["effect"] = policy.effect
    if checkpoint := describe_checkpoint(policy.output_schema, record=policy.record):
        made["checkpoint"] = checkpoint
    return made


def _json(value: object) -> JsonValue:
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    assert isinstance(value, str | int | float | bool), "a retry policy holds nothing else"
    return value


def _retry(policy: RetryPolicy) -> dict[str, JsonValue]:
    """Return one of LangGraph's policies; a number out of a spec's range is brought to its end."""
    named: list[JsonValue] = [*_error_names(policy.retry_on)]
    return {
        "max_attempts": min(max(int(policy.max_attempts), 1), 1_000),
        "initial_delay_s": _between(policy.initial_interval, 0.0, _DELAY_S_MAX),
        "multiplier": _between(policy.backoff_factor, 1.0, 1_000.0),
        "max_delay_s": _between(policy.max_interval, 0.0, _DELAY_S_MAX),
        "jitter": bool(policy.jitter),
        **({"retry_on": named} if named else {}),
    }


def _between(number: float, least: float, most: float) -> float:
    return float(min(max(number, least), most))


def _error_names(rule: Any) -> list[str]:
    classes = rule if isinstance(rule, Sequence) else [rule]
    return [each.__qualname__ if each.__module__ == "builtins" else f"{each.__module__}.{each.__qualname__}"
            for each in classes if isinstance(each, type)]  # fmt: skip


def _retry_code(policy: RetryPolicy) -> list[JsonValue]:
    """Return the function that says what is retried, where it is not a list of classes."""
    rule = policy.retry_on
    if isinstance(rule, type | Sequence):
        return []
    return [{"ref": Code.of(rule).ref}]


def _timeouts(timeout: Any) -> dict[str, JsonValue]:
    if timeout is None:
        return {}
    made: dict[str, JsonValue] = {}
    if isinstance(timeout, int | float | timedelta):
        whole_s, idle_s = _seconds(timeout), None
    else:
        whole_s = _seconds(getattr(timeout, "run_timeout", None))
        idle_s = _seconds(getattr(timeout, "idle_timeout", None))
    if whole_s is not None:
        made["timeout_s" if whole_s <= TIMEOUT_S_MAX else "x-timeout-s"] = whole_s
    if idle_s is not None:
        made["x-idle-timeout-s"] = idle_s
    return made


def _seconds(value: Any) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return float(value) if isinstance(value, int | float) and value > 0 else None
