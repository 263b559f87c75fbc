"""Every error that Omium raises, in one tree; the server sends it, the SDK raises the same class.

    OmiumError
     ├─ ConnectionLost            the server could not be reached, or did not answer in time
     ├─ ConfigError               a setting or configuration file is wrong
     ├─ Unserialisable            a value cannot be recorded
     ├─ Undecodable               a recorded value cannot be rebuilt in this process
     ├─ OutputInvalid             what a step returned is not as its output_schema asks
     ├─ DuplicateStepKey          an explicit step key was used twice in one scope
     ├─ InvalidStepName           a step's name or path is empty, too long or nested too deep
     ├─ AgentCircling             an agent makes the same tool call again and again
     ├─ EffectNotApplied          raised by the user: the side effect certainly did not happen
     ├─ EffectUnavailable         an effect could not be announced to the server, so it was not called
     ├─ ForkedDriver              a forked child used its parent's execution
     ├─ StepFailed                a step failed for good
     │   └─ StepTimeout           … because it took longer than its timeout
     ├─ BundleError               a bundle cannot be made, or opened
     │   ├─ BundleDamaged, BundleTooNew, BundleReadOnly, NotInBundle
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

    tree.py       the tree down to Problem      problems.py   one class per code
    wire.py       problems read from an answer

A problem is written by `to_problem()` and read back by `from_problem()`. Every code has a heading in
docs/errors.md, and every endpoint declares the codes it may raise.
"""

from __future__ import annotations

from omium.errors.problems import (
    AlreadyDecided,
    BootstrapClosed,
    BreakerOpen,
    CheckpointGone,
    CompensationPending,
    CreditsExhausted,
    EffectBlocked,
    EffectUnresolved,
    ExecutionExists,
    HeadersTooLarge,
    HostRefused,
    IdempotencyMismatch,
    IllegalTransition,
    InternalError,
    InvalidJson,
    InvalidRequest,
    InvitationInvalid,
    KeyEnded,
    KeyExpired,
    KeyRevoked,
    KeyRotated,
    LastOwner,
    LeaseLostProblem,
    LimitReached,
    LoginDelayed,
    LoginRefused,
    MethodNotAllowed,
    NameTaken,
    NoTenant,
    NotExchangeable,
    NotFound,
    NothingToClaim,
    NoticeTooEarly,
    OutcomeUnknown,
    ParentFinal,
    PasswordsBusy,
    PayloadTooLarge,
    PersonNeeded,
    PlanNeeded,
    PlanStale,
    PricesChanged,
    ProviderUnavailable,
    RateLimited,
    RequestTimeout,
    ScopeMissing,
    SecretNotRepeatable,
    SessionEnded,
    ShuttingDown,
    SignatureRefused,
    SignUpClosed,
    SlotsTaken,
    SpecInvalid,
    StepConflict,
    StorageBusy,
    StorageFull,
    TokenExpired,
    TooManyStreams,
    Unauthenticated,
    UnknownPrice,
    UnsupportedMediaType,
    WorkflowArchived,
    WorkflowChanged,
    WorkflowNotAllowed,
)
from omium.errors.tree import (
    AgentCircling,
    BundleDamaged,
    BundleError,
    BundleReadOnly,
    BundleTooNew,
    Cancelled,
    ConfigError,
    ConnectionLost,
    DatabaseCorrupt,
    DatabaseLocked,
    DatabaseTooNew,
    DuplicateStepKey,
    EffectNotApplied,
    EffectUnavailable,
    ForkedDriver,
    InvalidStepName,
    LeaseLost,
    Member,
    MigrationChanged,
    NotInBundle,
    OmiumError,
    OutputInvalid,
    Problem,
    SealBroken,
    StepFailed,
    StepTimeout,
    StorageError,
    Suspended,
    Suspension,
    Undecodable,
    Unserialisable,
    Waits,
)
from omium.errors.wire import UnknownProblem, from_problem, problem_classes

__all__ = [
    "AgentCircling",
    "AlreadyDecided",
    "BootstrapClosed",
    "BreakerOpen",
    "BundleDamaged",
    "BundleError",
    "BundleReadOnly",
    "BundleTooNew",
    "Cancelled",
    "CheckpointGone",
    "CompensationPending",
    "ConfigError",
    "ConnectionLost",
    "CreditsExhausted",
    "DatabaseCorrupt",
    "DatabaseLocked",
    "DatabaseTooNew",
    "DuplicateStepKey",
    "EffectBlocked",
    "EffectNotApplied",
    "EffectUnavailable",
    "EffectUnresolved",
    "ExecutionExists",
    "ForkedDriver",
    "HeadersTooLarge",
    "HostRefused",
    "IdempotencyMismatch",
    "IllegalTransition",
    "InternalError",
    "InvalidJson",
    "InvalidRequest",
    "InvalidStepName",
    "InvitationInvalid",
    "KeyEnded",
    "KeyExpired",
    "KeyRevoked",
    "KeyRotated",
    "LastOwner",
    "LeaseLost",
    "LeaseLostProblem",
    "LimitReached",
    "LoginDelayed",
    "LoginRefused",
    "Member",
    "MethodNotAllowed",
    "MigrationChanged",
    "NameTaken",
    "NoTenant",
    "NotExchangeable",
    "NotFound",
    "NotInBundle",
    "NothingToClaim",
    "NoticeTooEarly",
    "OmiumError",
    "OutcomeUnknown",
    "OutputInvalid",
    "ParentFinal",
    "PasswordsBusy",
    "PayloadTooLarge",
    "PersonNeeded",
    "PlanNeeded",
    "PlanStale",
    "PricesChanged",
    "Problem",
    "ProviderUnavailable",
    "RateLimited",
    "RequestTimeout",
    "ScopeMissing",
    "SealBroken",
    "SecretNotRepeatable",
    "SessionEnded",
    "ShuttingDown",
    "SignUpClosed",
    "SignatureRefused",
    "SlotsTaken",
    "SpecInvalid",
    "StepConflict",
    "StepFailed",
    "StepTimeout",
    "StorageBusy",
    "StorageError",
    "StorageFull",
    "Suspended",
    "Suspension",
    "TokenExpired",
    "TooManyStreams",
    "Unauthenticated",
    "Undecodable",
    "UnknownPrice",
    "UnknownProblem",
    "Unserialisable",
    "UnsupportedMediaType",
    "Waits",
    "WorkflowArchived",
    "WorkflowChanged",
    "WorkflowNotAllowed",
    "from_problem",
    "problem_classes",
]

for _name in __all__:
    if isinstance(_class := globals()[_name], type):
        _class.__module__ = __name__  # tracebacks and documents call them omium.errors.StepFailed
