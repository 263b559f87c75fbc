"""Statuses and legal transitions: closed lists and pure tables, nothing else.

The rules are semantics 3.1 (executions), 2.1 to 2.7 (steps, effects) and execution.md (failures, breakers).
The engine applies a transition in one place (`server/engine/transitions.py`) and only if it stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ExecutionStatus(StrEnum):
    """Where an execution stands. Completed and cancelled are final; resume or rollback can leave failed."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PausedReason(StrEnum):
    """Why an execution is paused, hence what lets it go on."""

    OPERATOR = "operator"
    ROLLBACK = "rollback"
    ROLLBACK_FAILED = "rollback-failed"
    CREDITS = "credits"
    LIMIT = "limit"
    EFFECT = "effect"
    KEY_REVOKED = "key-revoked"
    IMPORTED = "imported"
    """Another framework's store shows it unfinished; nobody here goes on with it."""


class WaitingReason(StrEnum):
    """What a waiting execution waits for."""

    TIMER = "timer"
    RETRY = "retry"
    APPROVAL = "approval"
    SIGNAL = "signal"
    SLOT = "slot"
    BREAKER = "breaker"


class Driver(StrEnum):
    """Who runs the user's code of an execution."""

    LOCAL = "local"
    WORKER = "worker"
    ENGINE = "engine"
    OBSERVED = "observed"
    """Nobody whom Omium knows: it was seen through OpenTelemetry, or imported; it cannot be resumed."""


class Durability(StrEnum):
    """When a step's record counts as saved: acknowledged by the server, or fsynced in the local spool."""

    STRICT = "strict"
    RELAXED = "relaxed"


class Takeover(StrEnum):
    """What happens to a `local` execution whose driver is lost: wait for a person, or let a worker go on."""

    NEVER = "never"
    AUTO = "auto"


class StepStatus(StrEnum):
    """What is recorded of a step. A plain step that is still running has no record: heartbeats list it."""

    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"


class EffectState(StrEnum):
    """What is known of a side effect (semantics 2.7)."""

    INTENDED = "intended"
    DONE = "done"
    NOT_APPLIED = "not_applied"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class EffectDecision(StrEnum):
    """What a person decides about an effect whose outcome is unknown."""

    CONFIRM = "confirm"
    REDO = "redo"
    SKIP = "skip"


class FailureStatus(StrEnum):
    """Disposition of a failure or of one of its occurrences."""

    OPEN = "open"
    REPLAYED = "replayed"
    ROLLED_BACK = "rolled_back"
    IGNORED = "ignored"
    RESOLVED = "resolved"


class FailureKind(StrEnum):
    """What sort of thing went wrong; part of a failure's identity."""

    ERROR = "error"
    TIMEOUT = "timeout"
    EFFECT_UNKNOWN = "effect-unknown"
    EFFECT_DUPLICATED = "effect-duplicated"
    DRIVER_LOST = "driver-lost"
    CRASH_LOOP = "crash-loop"
    COMPENSATION_FAILED = "compensation-failed"
    CAPTURED = "captured"


class BreakerState(StrEnum):
    """Whether calls through a circuit breaker are let through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CancelOutcome(StrEnum):
    """What became of the calls that ran when a cancel was asked for (semantics 3.9)."""

    STOPPED = "stopped"
    STILL_RUNNING = "still_running"
    UNKNOWN = "unknown"


class Runner(StrEnum):
    """Who would go on with an execution that is resumed or replayed now."""

    WORKER = "worker"
    ENGINE = "engine"
    NONE = "none"


_S = ExecutionStatus

# That what is queued may be paused: docs/decisions/016-pausing-what-is-queued.md
EXECUTION_TRANSITIONS: dict[ExecutionStatus, frozenset[ExecutionStatus]] = {
    _S.QUEUED: frozenset({_S.RUNNING, _S.PAUSED, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.WAITING, _S.PAUSED, _S.COMPLETED, _S.FAILED, _S.QUEUED, _S.CANCELLED}),
    _S.WAITING: frozenset({_S.RUNNING, _S.QUEUED, _S.PAUSED, _S.FAILED, _S.CANCELLED}),
    _S.PAUSED: frozenset({_S.QUEUED, _S.RUNNING, _S.CANCELLED, _S.FAILED}),
    _S.FAILED: frozenset({_S.QUEUED, _S.RUNNING, _S.PAUSED}),
    _S.COMPLETED: frozenset(),
    _S.CANCELLED: frozenset(),
}

FINAL_STATUSES = frozenset({_S.COMPLETED, _S.CANCELLED})
ENDED_STATUSES = FINAL_STATUSES | {_S.FAILED}
ROLLBACK_STATUSES = frozenset({_S.FAILED, _S.PAUSED, _S.WAITING})
RESUMABLE_STATUSES = frozenset({_S.FAILED, _S.PAUSED, _S.WAITING})


def may_become(current: ExecutionStatus, target: ExecutionStatus) -> bool:
    """Say whether an execution may go from `current` to `target`."""
    return target in EXECUTION_TRANSITIONS[current]


EFFECT_TRANSITIONS: dict[EffectState, frozenset[EffectState]] = {
    EffectState.INTENDED: frozenset({EffectState.DONE, EffectState.NOT_APPLIED, EffectState.UNKNOWN}),
    EffectState.UNKNOWN: frozenset(  # intended again: only effects whose receiver honours the key
        {EffectState.INTENDED, EffectState.DONE, EffectState.NOT_APPLIED, EffectState.SKIPPED}
    ),
    EffectState.NOT_APPLIED: frozenset({EffectState.INTENDED}),
    EffectState.DONE: frozenset(),
    EffectState.SKIPPED: frozenset(),
}


class EventType(StrEnum):
    """The closed list of facts about an execution, named `noun.past_verb`."""

    EXECUTION_STARTED = "execution.started"
    EXECUTION_QUEUED = "execution.queued"
    EXECUTION_CLAIMED = "execution.claimed"
    EXECUTION_RESUMED = "execution.resumed"
    EXECUTION_WAITED = "execution.waited"
    EXECUTION_PAUSED = "execution.paused"
    EXECUTION_COMPLETED = "execution.completed"
    EXECUTION_FAILED = "execution.failed"
    EXECUTION_CANCELLED = "execution.cancelled"
    EXECUTION_INTERRUPTED = "execution.interrupted"
    EXECUTION_SILENCED = "execution.silenced"
    EXECUTION_RETURNED = "execution.returned"
    EXECUTION_ROLLED_BACK = "execution.rolled_back"
    EXECUTION_REPLAYED = "execution.replayed"
    CANCEL_REQUESTED = "cancel.requested"
    PAUSE_REQUESTED = "pause.requested"
    STEP_COMPLETED = "step.completed"
    STEP_ATTEMPT_FAILED = "step.attempt_failed"
    STEP_FAILED = "step.failed"
    STEP_REUSED = "step.reused"
    STEP_INPUT_CHANGED = "step.input_changed"
    STEP_PATCHED = "step.patched"
    STEP_ABANDONED = "step.abandoned"
    CHECKPOINT_SAVED = "checkpoint.saved"
    EFFECT_INTENDED = "effect.intended"
    EFFECT_DONE = "effect.done"
    EFFECT_NOT_APPLIED = "effect.not_applied"
    EFFECT_UNKNOWN = "effect.unknown"
    EFFECT_DECIDED = "effect.decided"
    EFFECT_REPORTED_LATE = "effect.reported_late"
    EFFECT_DUPLICATED = "effect.duplicated"
    FAILURE_CAPTURED = "failure.captured"
    COMPENSATION_PLANNED = "compensation.planned"
    COMPENSATION_COMPLETED = "compensation.completed"
    COMPENSATION_FAILED = "compensation.failed"
    COMPENSATION_SKIPPED = "compensation.skipped"
    CHILD_STARTED = "child.started"
    RECORDING_GAPPED = "recording.gapped"
    CREDITS_EXHAUSTED = "credits.exhausted"
    STEP_INTERRUPTED = "step.interrupted"
    EDGE_DISCARDED = "edge.discarded"
    SIGNAL_RECEIVED = "signal.received"
    APPROVAL_DECIDED = "approval.decided"


class Scope(StrEnum):
    """What a key or a user may do. `worker` and `ingest` are for machines only."""

    READ = "read"
    RUN = "run"
    OPERATE = "operate"
    WORKER = "worker"
    INGEST = "ingest"
    MANAGE = "manage"
    BILLING = "billing"
    OWN = "own"
    SERVER = "server"


class Role(StrEnum):
    """What a person is in a tenant."""

    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"


MACHINE_SCOPES: Final = frozenset({Scope.WORKER, Scope.INGEST})
"""For keys only; a person who holds `manage` may give them to a key."""

ROLE_SCOPES: Final[Mapping[Role, frozenset[Scope]]] = {
    Role.OWNER: frozenset(Scope) - MACHINE_SCOPES - {Scope.SERVER},
    Role.ADMIN: frozenset({Scope.READ, Scope.RUN, Scope.OPERATE, Scope.MANAGE}),
    Role.OPERATOR: frozenset({Scope.READ, Scope.RUN, Scope.OPERATE}),
    Role.VIEWER: frozenset({Scope.READ}),
}
"""What each role may do. `server` comes with no role: it belongs to the owner of the server itself."""


class Environment(StrEnum):
    """Where a key's executions belong; workers claim only their own."""

    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


class AlertKind(StrEnum):
    """What a tenant can be alerted of. Each fact is written once, in the transaction that makes it one."""

    CREDITS_LOW = "credits.low"
    KEY_SOFT_CAP = "key.soft-cap"
    KEY_CAP_REACHED = "key.cap-reached"
    KEY_EXPIRED = "key.expired"
    FAILURE_OPENED = "failure.opened"
    FAILURE_REOPENED = "failure.reopened"
    BREAKER_OPENED = "breaker.opened"
    WORK_UNSERVED = "work.unserved"
    ALERT_TESTED = "alert.tested"


class AlertChannel(StrEnum):
    """How an alert gets out of the server."""

    WEBHOOK = "webhook"
    EMAIL = "email"
    COMMAND = "command"


class DeliveryStatus(StrEnum):
    """Where an alert's message stands. Dead ones were tried for half a day, or cannot be sent at all."""

    GATHERING = "gathering"
    SENDING = "sending"
    RETRYING = "retrying"
    SENT = "sent"
    DEAD = "dead"


class MissedPolicy(StrEnum):
    """What becomes of times at which no server looked."""

    SKIP = "skip"
    ONE = "one"
    ALL = "all"


class OverlapPolicy(StrEnum):
    """What becomes of a time at which the execution before still runs."""

    ALLOW = "allow"
    SKIP = "skip"
    QUEUE = "queue"


class ScheduleStatus(StrEnum):
    """Where a schedule stands."""

    ACTIVE = "active"
    PAUSED = "paused"


class FireOutcome(StrEnum):
    """What became of one time."""

    STARTED = "started"
    WAITING = "waiting"
    SKIPPED = "skipped"
    REFUSED = "refused"


class TriggerKind(StrEnum):
    """What a trigger follows."""

    WEBHOOK = "webhook"
    AFTER = "after"


class EndOutcome(StrEnum):
    """Which ends a trigger follows."""

    COMPLETED = "completed"
    FAILED = "failed"
    ANY = "any"


class Span(StrEnum):
    """How wide a point of time is."""

    HOUR = "hour"
    DAY = "day"


class UsageBy(StrEnum):
    """What figures are shown by."""

    WORKFLOW = "workflow"
    ENVIRONMENT = "environment"
    KEY = "key"
    STATUS = "status"
    MODEL = "model"
    PROVIDER = "provider"


class ErrorsBy(StrEnum):
    """What failures are shown by."""

    TYPE = "type"
    KIND = "kind"
    STEP = "step"
    WORKFLOW = "workflow"
    ENVIRONMENT = "environment"
    KEY = "key"


class SavingsBy(StrEnum):
    """What savings are shown by."""

    CAUSE = "cause"
    WORKFLOW = "workflow"
    ENVIRONMENT = "environment"
    KEY = "key"
