"""Rows to sums: the hour, the key and the numbers that one row adds. Pure; verify.py uses the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, TypeVar, cast

from omium.server.analytics.histogram import bucket_of
from omium.server.store.sums import (
    COUNTED,
    DAY_US,
    HOUR_US,
    ExecutionSum,
    FailureSum,
    Sum,
    UsageSum,
    key_columns,
)
from omium.server.store.unsummed import EndedRow, FailedRow, SpentRow, UsedRow

HOUR: Final = "hour"
DAY: Final = "day"
S = TypeVar("S", bound=Sum)


def execution_sum(row: EndedRow) -> ExecutionSum:
    """Return the sum of one execution, in the hour in which it ended."""
    took_us = max(row.ended_us - row.created_us, 0)
    return ExecutionSum(
        tenant_id=row.tenant_id,
        start_us=_hour(row.ended_us),
        width=HOUR,
        environment=row.environment,
        workflow=row.workflow,
        started_by=row.started_by,
        status=row.status,
        bucket=bucket_of(took_us),
        executions=1,
        removed=0,
        steps=row.steps_completed,
        took_us=took_us,
    )


def execution_sums(rows: Iterable[EndedRow]) -> list[ExecutionSum]:
    """Add executions up."""
    return merge(execution_sum(row) for row in rows)


def usage_sums(rows: Iterable[UsedRow]) -> list[UsageSum]:
    """Add reports of usage up."""
    return merge(
        UsageSum(
            tenant_id=row.tenant_id,
            start_us=_hour(row.at_us),
            width=HOUR,
            environment=row.environment,
            workflow=row.workflow or "",
            started_by=row.api_key_id,
            provider=row.provider or "",
            model=row.model or "",
            calls=row.calls,
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
            cached_tokens=row.cached_tokens,
            reasoning_tokens=row.reasoning_tokens,
            reported_cost_microusd=row.reported_cost_microusd or 0,
            spent_microcredits=0,
        )
        for row in rows
    )


def spent_sums(tenant_id: str, rows: Iterable[SpentRow]) -> list[UsageSum]:
    """Add charges up."""
    nothing = dict.fromkeys(COUNTED[UsageSum], 0)
    return merge(
        UsageSum(
            **nothing
            | {  # type: ignore[arg-type]  # the counted are numbers, the key is text
                "tenant_id": tenant_id,
                "start_us": row.start_us,
                "width": HOUR,
                "environment": row.environment,
                "workflow": row.workflow,
                "started_by": row.started_by,
                "provider": row.provider,
                "model": row.model,
                "spent_microcredits": row.spent_microcredits,
            }
        )
        for row in rows
    )


def failure_sums(rows: Iterable[FailedRow]) -> list[FailureSum]:
    """Add occurrences of failures up."""
    return merge(
        FailureSum(
            tenant_id=row.tenant_id,
            start_us=_hour(row.created_us),
            width=HOUR,
            environment=row.environment,
            workflow=row.workflow,
            started_by=row.started_by,
            kind=row.kind,
            error_type=row.error_type,
            step=row.step,
            failures=1,
        )
        for row in rows
    )


def day_of(row: S) -> S:
    """Return the sum of an hour as one of its day."""
    return replace(row, width=DAY, start_us=row.start_us - row.start_us % DAY_US)


def merge(rows: Iterable[S]) -> list[S]:
    """Add up what has the same key; sorted by it, which is the order in which rows are locked."""
    merged: dict[tuple[object, ...], S] = {}
    for row in rows:
        sort = cast("type[Sum]", type(row))
        key = tuple(getattr(row, name) for name in key_columns(sort))
        known = merged.get(key)
        if known is None:
            merged[key] = row
        else:
            added = {name: getattr(known, name) + getattr(row, name) for name in COUNTED[sort]}
            merged[key] = replace(known, **added)
    return [merged[key] for key in sorted(merged, key=repr)]


def _hour(at_us: int) -> int:
    return at_us - at_us % HOUR_US
