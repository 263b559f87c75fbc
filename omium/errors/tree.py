"""The tree of errors down to `Problem`: what is raised without a server, and what a problem is.

One class per code of the server is problems.py's. Import all of them from `omium.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

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


class OutputInvalid(OmiumError, ValueError):
    """What a step returned is not as its `output_schema` asks; `pointer` is the first place that is not.

    A `ValueError`, which frameworks do not try again unless they are told to.
    """

    code = "output-schema"

    def __init__(self, message: str, *, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class DuplicateStepKey(OmiumError):
    """An explicit `key=` was used twice in the same scope."""


class InvalidStepName(OmiumError):
    """A name cannot name a step: empty, too long, not printable, or its path too long or too deep."""


class AgentCircling(OmiumError):
    """An agent asks for the same `tool` with the same arguments again and again; another try would, too."""

    def __init__(self, message: str, *, tool: str = "") -> None:
        super().__init__(message)
        self.tool = tool


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


class BundleError(OmiumError):
    """A bundle cannot be made or opened; the message says why and what to do."""


class BundleDamaged(BundleError):
    """A file is no bundle, was cut off or altered, or wants more memory than any bundle needs."""


class BundleTooNew(BundleError):
    """A newer Omium made this bundle in a form that this one does not know; upgrade this one."""


class BundleReadOnly(BundleError):
    """Something was to be changed in a bundle: that needs the server that the execution is on."""


class NotInBundle(BundleError):
    """A bundle does not hold what was asked for: it is of one execution and what belongs to it."""


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

    `reason` is one of `states.WaitingReason`, `detail` what people are shown of it, as JSON; `signals` are
    those that it waits for, each a name with its question (`models.approval.AwaitedSignal` as JSON).
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
        signals: Sequence[Mapping[str, object]] = (),
    ) -> None:
        super().__init__(message, execution_id=execution_id, reason=reason, resume_command=resume_command)
        self.wake_at_us = wake_at_us
        self.detail = detail
        self.signals = signals


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
