"""Context: what the engine hands to a built-in runner, and what the runner hands back.

Owns the seam and nothing else: a runner knows no transaction, no lease and no retry policy. It is given a
`TaskGrant` and answers `TaskDone` or `TaskFailed`; in between it may journal turns through its `RunContext`.
A runner that is cancelled (asyncio) or dies leaves what it has journaled, and is started again with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from omium.errorinfo import ErrorInfo
from omium.jsonvalue import JsonValue
from omium.models.usage import RecordUsage

Object: TypeAlias = Mapping[str, JsonValue]
NO_USAGE: Final[tuple[RecordUsage, ...]] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """One journaled turn: `name` is its segment below the node's path."""

    name: str
    output: JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskGrant:
    """One attempt of one node. Everything of the spec is as it stands in the document, secrets by name."""

    tenant_id: str
    environment: str
    workflow: str
    execution_id: str
    path: str
    """Of the activation: `write`, `write#2`, `each[3]/summarise`."""
    node: str
    type: str
    attempt: int
    epoch: int
    """Of the lease; each start of the runner has another one."""
    inputs: Object
    """By name, resolved."""
    parameters: Object
    agent: Object | None = None
    tools: Mapping[str, Object]
    """The tools that the node or its agent names, by name."""
    output_schema: Object | None = None
    effect_key: str | None = None
    timeout_s: float | None = None
    turns: tuple[Turn, ...] = ()
    """What earlier starts of this activation have journaled, in its order."""


@dataclass(frozen=True, slots=True)
class TaskDone:
    """The node succeeded; `output` and `usage` are recorded in one transaction."""

    output: JsonValue
    usage: Sequence[RecordUsage] = NO_USAGE


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """The attempt failed. `usage` is what it had cost by then, beside what was journaled."""

    error: ErrorInfo
    retryable: bool
    """False: another attempt would fail alike. True: the node's retry policy decides."""
    retry_after_s: float | None = None
    """What the provider asked to wait."""
    usage: Sequence[RecordUsage] = NO_USAGE
    not_applied: bool = False
    """Of an effect: it certainly did not happen."""


class RunContext(Protocol):
    """What a runner may ask of the engine."""

    @property
    def is_cancelled(self) -> bool:
        """Whether a cancel was requested; asked between turns."""

    def now_us(self) -> int:
        """Return the server's time."""

    async def secret(self, name: str) -> str:
        """Return the value of a named secret of the grant's tenant and environment.

        Raises `InvalidRequest` where there is none, `SealBroken` where it was moved.
        """

    async def record_turn(
        self, name: str, output: JsonValue, usage: Sequence[RecordUsage] = NO_USAGE
    ) -> None:
        """Journal a turn under the node's path, once per name: a repeat changes nothing.

        Returns after the commit. Raises `LeaseLost` where another start was granted meanwhile.
        """

    async def reserve(self) -> None:
        """Make sure that another call may be paid for; raises `CreditsExhausted`, `BreakerOpen`."""


Runner: TypeAlias = Callable[[RunContext, TaskGrant], Awaitable[TaskDone | TaskFailed]]
