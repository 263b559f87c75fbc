"""Analytics: usage, errors and savings over time. What they are made of: omium/server/analytics/."""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

from pydantic import Field

from omium.errors import InvalidRequest
from omium.models.analytics import ErrorAnalysis, SavingAnalysis, UsageAnalysis
from omium.models.wire import Command, TimestampUs
from omium.server.analytics.queries import analyse_errors, analyse_savings, analyse_usage
from omium.server.store.sum_reading import Window
from omium.server.store.sums import DAY_US, HOUR_US
from omium.server.web.endpoint import Call, endpoint
from omium.states import Environment, ErrorsBy, SavingsBy, Scope, Span, UsageBy

TAGS = ("analytics",)
DAYS_DEFAULT: Final = 7
Q = TypeVar("Q")
HOURS_MAX: Final = 14 * 24
DAYS_MAX: Final = 801


class WindowQuery(Command):
    """Which time, and which executions. The window is widened to whole hours or days of UTC."""

    from_us: TimestampUs | None = None
    """From when on; without it, seven days before its end, or one day where the bucket is an hour."""
    until_us: TimestampUs | None = None
    """Up to when, excluded; without it, now."""
    bucket: Span = Span.DAY
    """How wide a point of time is: a day of UTC (up to 801 of them) or an hour (up to 336)."""
    workflow: Annotated[str, Field(max_length=200)] = ""
    environment: Environment | None = None
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    """How many values, the largest first."""


class UsageWindow(WindowQuery):
    """Which window, and by what."""

    by: UsageBy | None = None
    """What `groups` and `points` are of; without it, all together."""


class ErrorsQuery(WindowQuery):
    """Which window, and by what."""

    by: ErrorsBy = ErrorsBy.TYPE
    """What `groups` and `points` are of."""


class SavingsQuery(WindowQuery):
    """Which window, and by what."""

    by: SavingsBy = SavingsBy.CAUSE
    """What `groups` and `points` are of."""


@endpoint(
    "GET",
    "/v1/analytics/usage",
    scope=Scope.READ,
    query=UsageWindow,
    reply=UsageAnalysis,
    problems=(InvalidRequest,),
    summary="Show executions, tokens and credits over time",
    tags=TAGS,
)
async def analyze_usage(call: Call[None, UsageWindow]) -> UsageAnalysis:
    window = _window(call, call.query, call.query.by or "")
    return await call.read(lambda tx: analyse_usage(tx, window, call.query.limit))


@endpoint(
    "GET",
    "/v1/analytics/errors",
    scope=Scope.READ,
    query=ErrorsQuery,
    reply=ErrorAnalysis,
    problems=(InvalidRequest,),
    summary="Show failures over time",
    tags=TAGS,
)
async def analyze_errors(call: Call[None, ErrorsQuery]) -> ErrorAnalysis:
    window = _window(call, call.query, call.query.by)
    return await call.read(lambda tx: analyse_errors(tx, window, call.query.limit))


@endpoint(
    "GET",
    "/v1/analytics/savings",
    scope=Scope.READ,
    query=SavingsQuery,
    reply=SavingAnalysis,
    problems=(InvalidRequest,),
    summary="Show what resumes and replays did not run and pay again",
    tags=TAGS,
)
async def analyze_savings(call: Call[None, SavingsQuery]) -> SavingAnalysis:
    window = _window(call, call.query, call.query.by)
    return await call.read(lambda tx: analyse_savings(tx, window, call.query.limit))


def _window(call: Call[None, Q], query: WindowQuery, by: str) -> Window:
    hourly = query.bucket is Span.HOUR
    step_us, most = (HOUR_US, HOURS_MAX) if hourly else (DAY_US, DAYS_MAX)
    until_us = query.until_us if query.until_us is not None else call.server.clock.now_us() + 1
    default_us = until_us - (1 if hourly else DAYS_DEFAULT) * DAY_US
    from_us = query.from_us if query.from_us is not None else max(default_us, 0)
    if from_us >= until_us:
        raise InvalidRequest("The window ends before it begins; ask for from_us below until_us.")
    from_us -= from_us % step_us
    until_us += -until_us % step_us
    if (until_us - from_us) // step_us > most:
        raise InvalidRequest(
            f"That is more than {most} {query.bucket}s; ask for a shorter window"
            + (" or for days." if hourly else ".")
        )
    return Window(
        tenant_id=call.principal.tenant_id,
        by=str(by),
        from_us=from_us,
        until_us=until_us,
        step_us=step_us,
        workflow=query.workflow,
        environment=query.environment or "",
    )


ENDPOINTS = [analyze_usage, analyze_errors, analyze_savings]
