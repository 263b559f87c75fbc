"""Calls that show what has happened over time: usage, errors, savings."""

from __future__ import annotations

from omium.models.analytics import ErrorAnalysis, SavingAnalysis, UsageAnalysis
from omium.sdk.async_client.core import AsyncCore
from omium.states import Environment, ErrorsBy, SavingsBy, Span, UsageBy


class AsyncAnalytics(AsyncCore):
    """Figures over time. Times are microseconds UTC; the window is widened to whole hours or days."""

    async def analyze_usage(
        self,
        *,
        by: UsageBy | str | None = None,
        from_us: int | None = None,
        until_us: int | None = None,
        bucket: Span | str | None = None,
        workflow: str | None = None,
        environment: Environment | str | None = None,
        limit: int | None = None,
    ) -> UsageAnalysis:
        """Return executions, tokens and credits over time, and by what is asked for."""
        query = _window(from_us, until_us, bucket, workflow, environment, limit)
        return await self._get("/v1/analytics/usage", UsageAnalysis, {"by": by, **query})

    async def analyze_errors(
        self,
        *,
        by: ErrorsBy | str | None = None,
        from_us: int | None = None,
        until_us: int | None = None,
        bucket: Span | str | None = None,
        workflow: str | None = None,
        environment: Environment | str | None = None,
        limit: int | None = None,
    ) -> ErrorAnalysis:
        """Return failures over time, by their type where nothing else is asked for."""
        query = _window(from_us, until_us, bucket, workflow, environment, limit)
        return await self._get("/v1/analytics/errors", ErrorAnalysis, {"by": by, **query})

    async def analyze_savings(
        self,
        *,
        by: SavingsBy | str | None = None,
        from_us: int | None = None,
        until_us: int | None = None,
        bucket: Span | str | None = None,
        workflow: str | None = None,
        environment: Environment | str | None = None,
        limit: int | None = None,
    ) -> SavingAnalysis:
        """Return what resumes, takeovers and replays did not run and pay again."""
        query = _window(from_us, until_us, bucket, workflow, environment, limit)
        return await self._get("/v1/analytics/savings", SavingAnalysis, {"by": by, **query})


def _window(
    from_us: int | None,
    until_us: int | None,
    bucket: Span | str | None,
    workflow: str | None,
    environment: Environment | str | None,
    limit: int | None,
) -> dict[str, object]:
    return {
        "from_us": from_us,
        "until_us": until_us,
        "bucket": bucket,
        "workflow": workflow,
        "environment": environment,
        "limit": limit,
    }
