"""Calls about the failure inbox and the circuit breakers.

Generated from omium/sdk/async_client by tools/generate_sync_client.py: edit there.
"""

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
from omium.sdk.sync_client.core import SyncCore, segment
from omium.states import Environment, FailureKind, FailureStatus


class SyncFailures(SyncCore):
    """Failures and breakers."""

    def list_failures(
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
        return self._get("/v1/failures", Page[Failure], query)

    def get_failure(self, failure_id: str) -> FailureDetail:
        """Return all that is known of a failure, and what to do next."""
        return self._get(f"/v1/failures/{segment(failure_id)}", FailureDetail)

    def list_occurrences(
        self, failure_id: str, *, limit: int = 50, after: str | None = None
    ) -> Page[Occurrence]:
        """Return one page of a failure's occurrences, newest first."""
        path = f"/v1/failures/{segment(failure_id)}/occurrences"
        return self._get(path, Page[Occurrence], {"limit": limit, "after": after})

    def ignore_failure(
        self, failure_id: str, command: IgnoreFailure, *, idempotency_key: str | None = None
    ) -> Failure:
        """Close a failure with a reason, until something."""
        path = f"/v1/failures/{segment(failure_id)}/ignore"
        return self._send("POST", path, Failure, command, idempotency_key=idempotency_key)

    def resolve_failure(
        self, failure_id: str, command: ResolveFailure | None = None, *, idempotency_key: str | None = None
    ) -> Failure:
        """Close a failure as dealt with."""
        path = f"/v1/failures/{segment(failure_id)}/resolve"
        command = command or ResolveFailure()
        return self._send("POST", path, Failure, command, idempotency_key=idempotency_key)

    def replay_failure(
        self, failure_id: str, command: ReplayFailure | None = None, *, idempotency_key: str | None = None
    ) -> ReplayedFailure:
        """Replay the open occurrences of a failure."""
        path = f"/v1/failures/{segment(failure_id)}/replay"
        command = command or ReplayFailure()
        return self._send("POST", path, ReplayedFailure, command, idempotency_key=idempotency_key)

    def list_breakers(self, *, limit: int = 50, after: str | None = None) -> Page[Breaker]:
        """Return one page of the tenant's circuit breakers."""
        return self._get("/v1/breakers", Page[Breaker], {"limit": limit, "after": after})

    def get_breaker(self, name: str) -> Breaker:
        """Return one circuit breaker."""
        return self._get(f"/v1/breakers/{segment(name)}", Breaker)

    def set_breaker(self, name: str, command: SetBreaker, *, idempotency_key: str | None = None) -> Breaker:
        """Reset a circuit breaker, or open it by hand."""
        path = f"/v1/breakers/{segment(name)}"
        return self._send("POST", path, Breaker, command, idempotency_key=idempotency_key)

    def limit_breaker(self, name: str, command: BreakerLimits) -> Breaker:
        """Limit what is spent through a circuit breaker in a minute."""
        return self._send("PUT", f"/v1/breakers/{segment(name)}/limits", Breaker, command)

    def report_calls(self, command: BreakerCall) -> BreakerAnswer:
        """Tell how calls through a breaker ended, and ask whether the next may be made."""
        return self._send("POST", "/v1/breakers/calls", BreakerAnswer, command)
