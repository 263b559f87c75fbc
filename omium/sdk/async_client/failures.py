"""Calls about the failure inbox and the circuit breakers."""

from __future__ import annotations

from omium.models.breaker import Breaker, BreakerAnswer, BreakerCall, BreakerLimits, SetBreaker
from omium.models.failure import (
    Failure,
    FailureDetail,
    IgnoreFailure,
    Occurrence,
    ReplayedFailure,
    ReplayFailure,
    ResolveFailure,
)
from omium.models.wire import Page
from omium.sdk.async_client.core import AsyncCore, segment
from omium.states import Environment, FailureKind, FailureStatus


class AsyncFailures(AsyncCore):
    """Failures and breakers."""

    async def list_failures(
        self,
        *,
        status: FailureStatus | None = None,
        workflow: str | None = None,
        environment: Environment | None = None,
        kind: FailureKind | None = None,
        execution: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[Failure]:
        """Return one page of the inbox, newest first; of one `execution`, what it is an occurrence of."""
        query = {
            "status": status,
            "workflow": workflow,
            "environment": environment,
            "kind": kind,
            "execution": execution,
            "limit": limit,
            "after": after,
        }
        return await self._get("/v1/failures", Page[Failure], query)

    async def get_failure(self, failure_id: str) -> FailureDetail:
        """Return all that is known of a failure, and what to do next."""
        return await self._get(f"/v1/failures/{segment(failure_id)}", FailureDetail)

    async def list_occurrences(
        self, failure_id: str, *, limit: int = 50, after: str | None = None
    ) -> Page[Occurrence]:
        """Return one page of a failure's occurrences, newest first."""
        path = f"/v1/failures/{segment(failure_id)}/occurrences"
        return await self._get(path, Page[Occurrence], {"limit": limit, "after": after})

    async def ignore_failure(
        self, failure_id: str, command: IgnoreFailure, *, idempotency_key: str | None = None
    ) -> Failure:
        """Close a failure with a reason, until something."""
        path = f"/v1/failures/{segment(failure_id)}/ignore"
        return await self._send("POST", path, Failure, command, idempotency_key=idempotency_key)

    async def resolve_failure(
        self, failure_id: str, command: ResolveFailure | None = None, *, idempotency_key: str | None = None
    ) -> Failure:
        """Close a failure as dealt with."""
        path = f"/v1/failures/{segment(failure_id)}/resolve"
        command = command or ResolveFailure()
        return await self._send("POST", path, Failure, command, idempotency_key=idempotency_key)

    async def replay_failure(
        self, failure_id: str, command: ReplayFailure | None = None, *, idempotency_key: str | None = None
    ) -> ReplayedFailure:
        """Replay the open occurrences of a failure."""
        path = f"/v1/failures/{segment(failure_id)}/replay"
        command = command or ReplayFailure()
        return await self._send("POST", path, ReplayedFailure, command, idempotency_key=idempotency_key)

    async def list_breakers(self, *, limit: int = 50, after: str | None = None) -> Page[Breaker]:
        """Return one page of the tenant's circuit breakers."""
        return await self._get("/v1/breakers", Page[Breaker], {"limit": limit, "after": after})

    async def get_breaker(self, name: str) -> Breaker:
        """Return one circuit breaker."""
        return await self._get(f"/v1/breakers/{segment(name)}", Breaker)

    async def set_breaker(
        self, name: str, command: SetBreaker, *, idempotency_key: str | None = None
    ) -> Breaker:
        """Reset a circuit breaker, or open it by hand."""
        path = f"/v1/breakers/{segment(name)}"
        return await self._send("POST", path, Breaker, command, idempotency_key=idempotency_key)

    async def limit_breaker(self, name: str, command: BreakerLimits) -> Breaker:
        """Limit what is spent through a circuit breaker in a minute."""
        return await self._send("PUT", f"/v1/breakers/{segment(name)}/limits", Breaker, command)

    async def report_calls(self, command: BreakerCall) -> BreakerAnswer:
        """Tell how calls through a breaker ended, and ask whether the next may be made."""
        return await self._send("POST", "/v1/breakers/calls", BreakerAnswer, command)
