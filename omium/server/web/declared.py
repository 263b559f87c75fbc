"""What an endpoint may answer: the problems that it declares, and those of the way to its handler.

OpenAPI shows the list, dispatch notices an answer that is not on it, and the docs test reads it.
"""

from __future__ import annotations

from omium import errors as e
from omium.server.web.endpoint import Endpoint, Idempotency
from omium.states import Scope


def list_problems(endpoint: Endpoint) -> list[type[e.Problem]]:
    """Return every problem that `endpoint` may answer, its own first."""
    found: list[type[e.Problem]] = [
        e.InvalidRequest,
        e.HostRefused,
        e.RequestTimeout,
        e.HeadersTooLarge,
        e.PayloadTooLarge,
        e.InternalError,
        e.StorageBusy,
        e.ShuttingDown,
        e.RateLimited,
    ]
    if endpoint.path_parameters:
        found.append(e.NotFound)
    if not endpoint.is_public:
        found += [e.Unauthenticated, e.KeyExpired, e.KeyRevoked, e.KeyRotated, e.TokenExpired, e.SessionEnded]
    if endpoint.scope is not None:
        found.append(e.ScopeMissing)
    if endpoint.scope in {Scope.RUN, Scope.OPERATE}:
        found.append(e.WorkflowNotAllowed)
    if endpoint.body is not None:
        found += [e.InvalidJson, e.UnsupportedMediaType]
    if endpoint.idempotent is not Idempotency.NONE:
        found += [e.OutcomeUnknown, e.StorageFull]
    if endpoint.idempotent is Idempotency.KEYED:
        found.append(e.IdempotencyMismatch)
        if endpoint.secret_fields:
            found.append(e.SecretNotRepeatable)
    if endpoint.stream or endpoint.long_poll:
        found.append(e.TooManyStreams)
    return list(dict.fromkeys([*endpoint.problems, *found]))
