"""Options: what a step or a workflow was declared with, checked where it is declared.

Owns defaults and the checks that can be made without running anything, so that a wrong combination fails when
the module is imported and not in the middle of a night. Does nothing itself: steps.py and life.py obey.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from omium.errors import ConfigError
from omium.jsonvalue import JsonValue
from omium.retry import RetryPolicy
from omium.sdk.identity import clean_name
from omium.sdk.results import find_schema_fault
from omium.states import Durability, Takeover

StepKind = Literal["step", "workflow", "child", "effect"]
EffectMode = Literal["once", "idempotent"]
Match = Literal["input", "name"]
Key = str | Callable[..., str]
Retry = RetryPolicy | int
Credits = int | float | str

NO_RETRY = RetryPolicy(max_attempts=1)


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` steps with this `key` run at once, over all executions of the tenant's environment.

    Nodes of workflows that the engine runs share their keys with steps. Raises `ConfigError` for a limit that
    is no number from 1 to 10,000, `InvalidStepName` for a key that is no name.
    """

    key: str
    limit: int

    def __post_init__(self) -> None:
        if type(self.limit) is not int or not 1 <= self.limit <= 10_000:  # True is no limit
            raise ConfigError(f"Concurrency {self.key}: limit is 1 to 10,000, not {self.limit!r}.")
        clean_name(self.key)

    def to_json(self) -> dict[str, JsonValue]:
        """Return it as a workflow's spec has it."""
        return {"key": self.key, "limit": self.limit}


@dataclass(frozen=True, slots=True)
class StepOptions:
    """What `@omium.step` was given."""

    name: str
    retry: RetryPolicy = NO_RETRY
    timeout_s: float | None = None
    effect: EffectMode | None = None
    compensate: str | None = None
    breaker: str | None = None
    concurrency: Concurrency | None = None
    key: Key | None = None
    ignore: frozenset[str] = frozenset()
    record: bool = True
    output_schema: Mapping[str, Any] | None = None
    match: Match = "input"
    kind: StepKind = "step"


@dataclass(frozen=True, slots=True)
class WorkflowOptions:
    """What `@omium.workflow` was given."""

    name: str
    retry: RetryPolicy = NO_RETRY
    timeout_s: float | None = None
    durability: Durability | None = None
    takeover: Takeover = Takeover.NEVER
    on_pause: Literal["raise", "wait"] = "raise"
    queue: str = "default"
    ignore: frozenset[str] = field(default_factory=frozenset)
    max_microcredits: int | None = None


@dataclass(frozen=True, slots=True)
class Labels:
    """What an execution is found by: words, and the number that it has in the caller's own books."""

    tags: tuple[str, ...] = ()
    business_key: str | None = None


NO_LABELS = Labels()


def make_labels(tags: Iterable[str] | None, business_key: str | None) -> Labels:
    """Return the labels; the server checks how many and how long. A single text is one tag."""
    if tags is None and business_key is None:
        return NO_LABELS
    return Labels((tags,) if isinstance(tags, str) else tuple(tags or ()), business_key)


def make_step_options(
    name: str,
    *,
    retry: Retry | None = None,
    timeout_s: float | None = None,
    effect: bool | Literal["idempotent"] = False,
    compensate: str | None = None,
    breaker: str | None = None,
    concurrency: Concurrency | None = None,
    key: Key | None = None,
    ignore: Iterable[str] = (),
    record: bool = True,
    output_schema: Mapping[str, Any] | None = None,
    match: Literal["name"] | None = None,
    kind: StepKind = "step",
) -> StepOptions:
    """Return the options of a step; `ConfigError` for values that contradict each other."""
    name = clean_name(name)
    if effect not in (False, True, "idempotent"):
        raise ConfigError(f'Step {name}: effect is False, True or "idempotent", not {effect!r}.')
    if effect and not record:
        raise ConfigError(f"Step {name}: an effect is always recorded; leave `record=False` out.")
    if compensate is not None and not effect:
        raise ConfigError(f"Step {name}: only an effect can be compensated; add `effect=True`.")
    if match not in (None, "name"):
        raise ConfigError(f'Step {name}: match is "name" or left out, not {match!r}.')
    mode: EffectMode | None = "idempotent" if effect == "idempotent" else "once" if effect else None
    return StepOptions(
        name=name,
        retry=make_policy(retry),
        timeout_s=check_timeout(name, timeout_s),
        effect=mode,
        compensate=compensate,
        breaker=breaker,
        concurrency=concurrency,
        key=key,
        ignore=frozenset([ignore] if isinstance(ignore, str) else ignore),
        record=record,
        output_schema=check_output_schema(name, output_schema, record=record),
        match=match or "input",
        kind="effect" if mode else kind,
    )


def make_policy(retry: Retry | None) -> RetryPolicy:
    """Return the policy; a number is the most attempts, with the usual delays between them."""
    if retry is None:
        return NO_RETRY
    return RetryPolicy(max_attempts=retry) if isinstance(retry, int) else retry


def check_timeout(name: str, timeout_s: float | None) -> float | None:
    """Return `timeout_s`; `ConfigError` unless it is a positive number of seconds."""
    if timeout_s is not None and not timeout_s > 0:
        raise ConfigError(f"{name}: timeout_s is a positive number of seconds, not {timeout_s!r}.")
    return timeout_s


def check_output_schema(
    name: str, schema: Mapping[str, Any] | None, *, record: bool
) -> dict[str, Any] | None:
    """Return a copy of `schema`; `ConfigError` unless it is a JSON Schema that can judge what is recorded."""
    if schema is None:
        return None
    if not record:
        raise ConfigError(f"Step {name}: `record=False` keeps nothing that an output_schema could judge.")
    if not isinstance(schema, Mapping):
        raise ConfigError(f"Step {name}: output_schema is a JSON Schema as a dict, not {schema!r}.")
    if fault := find_schema_fault(schema := copy.deepcopy(dict(schema))):
        raise ConfigError(f"Step {name}: its output_schema cannot be used. {fault}")
    return schema


def read_credits(name: str, max_credits: Credits | None) -> int | None:
    """Return the limit in micro-credits; `ConfigError` unless it is an amount of credits above zero."""
    if max_credits is None:
        return None
    from omium.money import parse_credits  # noqa: PLC0415  # `decimal` would add to the import of omium

    try:
        return parse_credits(str(max_credits))
    except ValueError as error:
        raise ConfigError(
            f"{name}: max_credits is an amount of credits such as 50 or 0.5. {error}"
        ) from error


def function_name(function: Callable[..., Any]) -> str:
    """Return the name that a function without `name=` gets."""
    return str(getattr(function, "__name__", None) or type(function).__name__)
