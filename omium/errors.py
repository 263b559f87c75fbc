"""Every error that Omium raises, in one tree; the server sends it, the SDK raises the same class.

    OmiumError
     ├─ ConnectionLost            the server could not be reached, or did not answer in time
     ├─ ConfigError               a setting or configuration file is wrong
     ├─ Unserialisable            a value cannot be recorded
     ├─ Undecodable               a recorded value cannot be rebuilt in this process
     ├─ DuplicateStepKey          an explicit step key was used twice in one scope
     ├─ InvalidStepName           a step's name or path is empty, too long or nested too deep
     ├─ EffectNotApplied          raised by the user: the side effect certainly did not happen
     ├─ EffectUnavailable         an effect could not be announced to the server, so it was not called
     ├─ ForkedDriver              a forked child used its parent's execution
     ├─ StepFailed                a step failed for good
     │   └─ StepTimeout           … because it took longer than its timeout
     ├─ StorageError              the database refused (server only)
     │   ├─ DatabaseCorrupt, DatabaseTooNew, DatabaseLocked, MigrationChanged, SealBroken
     └─ Problem                   an RFC 9457 problem: code, status, title, detail, members
         └─ one class per code, below

    BaseException
     └─ Suspension                ends the driver, not the execution: never swallowed by `except Exception`
         ├─ Suspended             paused or waiting; resume goes on
         │   └─ Waits             … because the workflow itself said so: a timer, a signal, an approval
         ├─ LeaseLost             another driver owns the execution now
         └─ Cancelled             somebody cancelled the execution

A problem is written by `to_problem()` and read back by `from_problem()`. Every code has a heading in
docs/errors.md, and every endpoint declares the codes it may raise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, cast

Member = str | int | bool | None | list[object] | dict[str, object]


class OmiumError(Exception):
    """Root of everything that Omium raises as an error."""


class ConnectionLost(OmiumError):
    """The server could not be reached, or its answer was lost, for longer than was allowed."""


class ConfigError(OmiumError):
    """A setting is missing or wrong; the message names the place and the remedy."""


class Unserialisable(OmiumError):
    """A value cannot be recorded. `type_name` is its type, `path` the place inside the value."""

    def __init__(self, message: str, *, type_name: str = "", path: str = "$") -> None:
        super().__init__(message)
        self.type_name = type_name
        self.path = path


class Undecodable(OmiumError):
    """A recorded value cannot be rebuilt here: its class is not loaded, or has changed; see `path`."""

    def __init__(self, message: str, *, type_name: str = "", path: str = "$") -> None:
        super().__init__(message)
        self.type_name = type_name
        self.path = path


class DuplicateStepKey(OmiumError):
    """An explicit `key=` was used twice in the same scope."""


class InvalidStepName(OmiumError):
    """A name cannot name a step: empty, too long, not printable, or its path too long or too deep."""


class EffectNotApplied(OmiumError):
    """Raise this inside an effect when it certainly did not happen, so that it may be tried again."""


class EffectUnavailable(OmiumError):
    """The server could not be told of an effect in time, so the effect was not called."""


class ForkedDriver(OmiumError):
    """A forked child tried to drive its parent's execution; open an execution of its own instead."""


class StepFailed(OmiumError):
    """A step failed for good; `__cause__` is the original exception where there is one."""

    def __init__(self, message: str, *, step: str = "", error_type: str = "", code: str = "") -> None:
        super().__init__(message)
        self.step = step
        self.error_type = error_type
        self.code = code


class StepTimeout(StepFailed):
    """A step took longer than its `timeout_s`."""


class StorageError(OmiumError):
    """The database cannot be used as it is; the message names the remedy."""


class DatabaseCorrupt(StorageError):
    """The database file is damaged or truncated: restore a backup with `omium db restore`."""


class DatabaseTooNew(StorageError):
    """The database was migrated by a newer Omium; upgrade this one."""


class DatabaseLocked(StorageError):
    """Another server uses this database file."""


class MigrationChanged(StorageError):
    """A migration that was already applied has another checksum than the one in this package."""


class SealBroken(StorageError):
    """A sealed value cannot be opened: another key file, or the bytes were changed or moved."""


class Suspension(BaseException):
    """Ends this driver's run while the execution stays as it is; not an `Exception` on purpose."""


class Suspended(Suspension):
    """The execution is paused or waiting; `reason` says why, `resume_command` how to go on."""

    def __init__(self, message: str, *, execution_id: str, reason: str, resume_command: str = "") -> None:
        super().__init__(message)
        self.execution_id = execution_id
        self.reason = reason
        self.resume_command = resume_command


class Waits(Suspended):
    """The workflow gave itself back until `wake_at_us` (microseconds UTC), or what `reason` names comes.

    `reason` is one of `states.WaitingReason`, `detail` what people are shown of it, as JSON.
    """

    def __init__(
        self,
        message: str,
        *,
        execution_id: str,
        reason: str,
        resume_command: str = "",
        wake_at_us: int | None = None,
        detail: object = None,
    ) -> None:
        super().__init__(message, execution_id=execution_id, reason=reason, resume_command=resume_command)
        self.wake_at_us = wake_at_us
        self.detail = detail


class LeaseLost(Suspension):
    """Another driver was granted the execution; nothing that this one does counts any more."""


class Cancelled(Suspension):
    """The execution was cancelled; the driver stops at the next step."""


class Problem(OmiumError):
    """An error with a stable code that travels over HTTP (RFC 9457).

    Subclasses fix `code`, `status`, `title` and `retryable`; `members` are further typed facts.
    """

    code: ClassVar[str] = "internal-error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "The server made a mistake"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str = "", **members: Member) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.members = members

    def to_problem(self) -> dict[str, object]:
        """Return the `application/problem+json` object."""
        return {
            **self.members,
            "type": f"urn:omium:error:{self.code}",
            "code": self.code,
            "status": self.status,
            "title": self.title,
            "detail": self.detail,
            "retryable": self.retryable,
        }


class InternalError(Problem):
    """An unexpected error in the server; its log holds the traceback under `request_id`."""


class InvalidJson(Problem):
    """The body is not JSON that Omium takes; member `pointer` names the place."""

    code, status, title = "invalid-json", 400, "The body is not acceptable JSON"


class InvalidRequest(Problem):
    """A parameter, header or body field is wrong; member `errors` lists each with its pointer."""

    code, status, title = "invalid-request", 400, "The request is not valid"


class Unauthenticated(Problem):
    code, status, title = "unauthenticated", 401, "The request carries no valid API key"


class KeyExpired(Problem):
    code, status, title = "key-expired", 401, "The API key has expired"


class KeyRevoked(Problem):
    code, status, title = "key-revoked", 401, "The API key was revoked"


class KeyRotated(Problem):
    """The key goes on under a new secret; this is an older one, and its grace is over."""

    code, status, title = "key-rotated", 401, "The API key has another secret now"


class TokenExpired(Problem):
    code, status, title = "token-expired", 401, "The short-lived token has expired; exchange the key again"


class NotExchangeable(Problem):
    """Only an API key itself can be exchanged for a token: not a token, not a person's session."""

    code, status, title = "not-exchangeable", 403, "Only an API key can be exchanged for a token"


class WorkflowNotAllowed(Problem):
    """The key has a list of workflows that it may run; members `workflow` and `allowed`."""

    code, status, title = "workflow-not-allowed", 403, "The API key may not run this workflow"


class LoginRefused(Problem):
    """The same for a wrong password, an unknown user and a disabled one."""

    code, status, title = "login-refused", 401, "The user or the password is wrong"


class SessionEnded(Problem):
    code, status, title = "session-ended", 401, "The session has ended; log in again"


class CreditsExhausted(Problem):
    code, status, title = "credits-exhausted", 402, "You've exhausted your Omium credits; please top up."


class ScopeMissing(Problem):
    code, status, title = "scope-missing", 403, "The key or the role does not have the scope that this needs"


class SignUpClosed(Problem):
    code, status, title = "sign-up-closed", 403, "This server takes no new users in this way"


class InvitationInvalid(Problem):
    code, status, title = "invitation-invalid", 403, "The invitation is unknown, used, revoked or too old"


class PersonNeeded(Problem):
    code, status, title = "person-needed", 403, "This is for people who have logged in, not for API keys"


class NoTenant(Problem):
    code, status, title = "no-tenant", 403, "This user is in no tenant, or not in this one"


class HostRefused(Problem):
    code, status, title = "host-refused", 403, "The Host or Origin of the request is not allowed"


class NotFound(Problem):
    """No such thing, or it belongs to another tenant: the answer is the same."""

    code, status, title = "not-found", 404, "There is no such thing here"


class MethodNotAllowed(Problem):
    code, status, title = "method-not-allowed", 405, "This address does not take that method"


class IllegalTransition(Problem):
    """The execution's status does not allow it; members `status_now` and `allowed`."""

    code, status, title = "illegal-transition", 409, "The execution is in a status that does not allow this"


class LeaseLostProblem(Problem):
    """A driver wrote under an old grant. The SDK turns it into `LeaseLost` inside the driver."""

    code, status, title = "lease-lost", 409, "Another driver owns this execution now"


class StepConflict(Problem):
    code, status, title = "step-conflict", 409, "This step was recorded already, with another result"


class ExecutionExists(Problem):
    code, status, title = "execution-exists", 409, "An execution with this id and other content exists"


class KeyEnded(Problem):
    """The key was revoked or has expired; a revoked one never comes back."""

    code, status, title = "key-ended", 409, "The API key has ended and cannot be changed so"


class EffectUnresolved(Problem):
    """Effects with an unknown outcome need a decision first; `effects` lists them, of `execution_id`."""

    code, status, title = "effect-unresolved", 409, "An effect's outcome is unknown: confirm, redo or skip it"


class EffectBlocked(Problem):
    code, status, title = "effect-blocked", 409, "An effect may not run again without a decision"


class CompensationPending(Problem):
    code, status, title = "compensation-pending", 409, "Compensations of a rollback have not ended yet"


class PlanStale(Problem):
    code, status, title = "plan-stale", 409, "Something changed since this plan was made; make a new one"


class PlanNeeded(Problem):
    code, status, title = "plan-needed", 409, "This replay re-runs effects or is blocked: look at its plan"


class NothingToClaim(Problem):
    code, status, title = "nothing-to-claim", 409, "The execution cannot be claimed now"


class AlreadyDecided(Problem):
    code, status, title = "already-decided", 409, "Somebody has decided this already"


class PricesChanged(Problem):
    code, status, title = "prices-changed", 409, "The price book was changed meanwhile"


class ParentFinal(Problem):
    code, status, title = "parent-final", 409, "The parent execution has ended; resume through the parent"


class NameTaken(Problem):
    code, status, title = "name-taken", 409, "There is a user of this name already"


class LastOwner(Problem):
    """Member `tenants` names those that would be left without an owner."""

    code, status, title = "last-owner", 409, "Somebody else must become an owner first"


class SecretNotRepeatable(Problem):
    code, status, title = "secret-not-repeatable", 409, "The secret was shown once and is not stored"


class BootstrapClosed(Problem):
    code, status, title = "bootstrap-closed", 403, "The one-time token is not valid"


class CheckpointGone(Problem):
    code, status, title = "checkpoint-gone", 410, "Retention removed what this needs"


class PayloadTooLarge(Problem):
    code, status, title = "payload-too-large", 413, "The body or a value in it is too large"


class UnsupportedMediaType(Problem):
    code, status, title = "unsupported-media-type", 415, "Send application/json"


class IdempotencyMismatch(Problem):
    code, status, title = "idempotency-mismatch", 422, "This Idempotency-Key was used with another body"


class LimitReached(Problem):
    code, status, title = "limit-reached", 422, "A limit of this execution or tenant is reached"


class UnknownPrice(Problem):
    code, status, title = "unknown-price", 422, "The price book has no price for this model and refuses it"


class RateLimited(Problem):
    code, status, title = "rate-limited", 429, "Too many requests"
    retryable = True


class LoginDelayed(Problem):
    """Too many log-ins of this account or from this address have failed; member `retry_after_s`."""

    code, status, title = "login-delayed", 429, "Too many log-ins have failed; wait before the next"
    retryable = True


class BreakerOpen(Problem):
    """The circuit breaker lets no call through now; member `retry_after_s`."""

    code, status, title = "breaker-open", 409, "The circuit breaker is open"
    retryable = True


class HeadersTooLarge(Problem):
    code, status, title = "headers-too-large", 431, "The request's header is too large"


class RequestTimeout(Problem):
    code, status, title = "request-timeout", 408, "The request did not arrive in time"
    retryable = True


class StorageBusy(Problem):
    code, status, title = "storage-busy", 503, "The database is busy; try again"
    retryable = True


class OutcomeUnknown(Problem):
    code, status, title = "outcome-unknown", 503, "The answer was lost; send the same request again"
    retryable = True


class ShuttingDown(Problem):
    code, status, title = "shutting-down", 503, "The server is stopping; try again in a moment"
    retryable = True


class PasswordsBusy(Problem):
    code, status, title = "passwords-busy", 503, "Too many log-ins at once; try again"
    retryable = True


class TooManyStreams(Problem):
    code, status, title = "too-many-streams", 429, "Too many open streams or waiting workers"
    retryable = True


class SignatureRefused(Problem):
    code, status, title = "signature-refused", 400, "This is not proven to come from the payment provider"


class NoticeTooEarly(Problem):
    code, status, title = "notice-too-early", 409, "What this follows was not told yet; tell it again later"
    retryable = True


class ProviderUnavailable(Problem):
    code, status, title = "provider-unavailable", 502, "The payment provider did not do what it was asked for"
    retryable = True


class StorageFull(Problem):
    code, status, title = "storage-full", 507, "The disk is full; free some space, nothing else is needed"
    retryable = True


def _all_problems(root: type[Problem]) -> dict[str, type[Problem]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found.update(_all_problems(child))
    return found


def problem_classes() -> dict[str, type[Problem]]:
    """Return every problem class by its code."""
    return {**_all_problems(Problem), InternalError.code: InternalError}


_ENVELOPE = frozenset({"type", "code", "status", "title", "detail", "retryable"})


def from_problem(body: Mapping[str, object], status: int) -> Problem:
    """Return the problem that `body` (a parsed `application/problem+json`) describes.

    A code that this version does not know becomes an `UnknownProblem` that keeps the server's own code.
    """
    code = str(body.get("code") or "")
    detail = str(body.get("detail") or body.get("title") or f"The server answered {status}.")
    members = {name: value for name, value in body.items() if name not in _ENVELOPE}
    known = problem_classes().get(code)
    if known is None:
        return UnknownProblem(
            detail, code=code, status=status, retryable=bool(body.get("retryable")), members=members
        )
    problem = known(detail)
    problem.members = cast("dict[str, Member]", members)  # from the wire: any JSON value
    return problem


class UnknownProblem(Problem):
    """A problem whose code this version does not know: the server is newer, or something else answered."""

    code, status, title = "unknown-problem", 500, "The server answered with an error that is not known here"

    def __init__(
        self, detail: str, *, code: str, status: int, retryable: bool, members: Mapping[str, object]
    ) -> None:
        super().__init__(detail)
        self.server_code = code
        self.server_status = status
        self.server_retryable = retryable
        self.members = cast("dict[str, Member]", dict(members))  # from the wire: any JSON value
