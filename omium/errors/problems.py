"""One class per problem: its code, its HTTP status, its title. Each has a heading in docs/errors.md.

Import them from `omium.errors`; what a problem is, is tree.py's.
"""

from __future__ import annotations

from omium.errors.tree import Problem


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


class WorkflowChanged(Problem):
    """Member `version` is the active one."""

    code, status, title = "workflow-changed", 409, "The workflow was changed meanwhile"


class WorkflowArchived(Problem):
    code, status, title = "workflow-archived", 409, "The workflow is archived"


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


class SpecInvalid(Problem):
    """The document is no workflow spec; member `errors` lists each reason with its pointer."""

    code, status, title = "spec-invalid", 422, "The workflow spec is not valid"


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


class SlotsTaken(Problem):
    """No slot of a concurrency key is free for a step that may not wait for one; member `key`."""

    code, status, title = "slots-taken", 409, "As many as may run at once do"
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
    code, status, title = "signature-refused", 400, "This is not proven to come from its sender"


class NoticeTooEarly(Problem):
    code, status, title = "notice-too-early", 409, "What this follows was not told yet; tell it again later"
    retryable = True


class ProviderUnavailable(Problem):
    code, status, title = "provider-unavailable", 502, "The payment provider did not do what it was asked for"
    retryable = True


class StorageFull(Problem):
    code, status, title = "storage-full", 507, "The disk is full; free some space, nothing else is needed"
    retryable = True
