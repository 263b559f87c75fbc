"""Packing: a driver's write made ready before its transaction: values compressed and sealed, errors redacted.

Owns what of each write is a value, an error or lines. What the write does is in the handlers.
"""

from __future__ import annotations

from typing import Generic, TypeVar, cast

from omium.errors import InvalidRequest
from omium.jsonvalue import JsonValue
from omium.models import driver
from omium.models.usage import RecordUsage
from omium.server.db.light import light
from omium.server.engine.fence import Lease
from omium.server.engine.logs import PackedLines, pack_lines
from omium.server.engine.mishaps import PackedError, pack_error
from omium.server.engine.values import PackedValue, StoredValue, Vault
from omium.server.store.executions import ExecutionRow
from omium.states import EffectState, WaitingReason

W = TypeVar("W", bound=driver.Write)


@light(frozen=True, slots=True)
class Packed(Generic[W]):
    """One write under one lease; `output` is also a checkpoint's state or an execution's result."""

    lease: Lease
    write: W
    input: PackedValue | None = None
    output: PackedValue | None = None
    error: PackedError | None = None
    logs: PackedLines | None = None

    @property
    def payload_bytes(self) -> int:
        """How much JSON the execution records with it; the input of an effect came with its intent."""
        values = [self.output] if isinstance(self.write, driver.EffectEnded) else [self.input, self.output]
        return sum(value.size_bytes for value in values if value is not None)

    @property
    def usage(self) -> list[RecordUsage]:
        """What the write reports of provider calls; recorded even if the write is refused."""
        match self.write:
            case driver.UsageRecorded(usage=usage):
                return [usage]
            case (
                driver.StepCompleted()
                | driver.StepAttemptFailed()
                | driver.EffectIntended()
                | driver.EffectEnded() as write
            ):
                return write.usage
            case _:
                return []


@light(frozen=True, slots=True)
class EffectOutcome:
    """What is answered about an effect; `output` is opened after the transaction."""

    effect_key: str
    state: EffectState
    may_call: bool
    output: StoredValue | None = None


@light(frozen=True, slots=True)
class SignalOutcome:
    """The signal that a step has; its payload is opened after the transaction."""

    signal_id: str
    payload: StoredValue


@light(frozen=True, slots=True)
class Outcome:
    """What became of a write: the number of its event, and the row after it."""

    row: ExecutionRow
    seq: int | None = None
    effect: EffectOutcome | None = None
    slot: driver.SlotState | None = None
    signal: SignalOutcome | None = None


def pack_write(vault: Vault, lease: Lease, write: W) -> Packed[W]:
    """Return `write` ready for its transaction; raises `PayloadTooLarge` that names the step."""
    tenant_id = lease.tenant_id

    def value(given: object, what: str) -> PackedValue:
        return vault.pack(tenant_id, cast("JsonValue", given), what=what)

    match write:
        case driver.StepCompleted():
            _refuse_kind(write)
            return Packed(
                lease,
                write,
                input=_pack_input(vault, tenant_id, write),
                output=value(write.output, f"The output of {write.path}") if write.has_output else None,
                logs=pack_lines(write.logs) if write.logs else None,
            )
        case driver.StepAttemptFailed() | driver.EffectIntended() | driver.EffectEnded():
            ended = isinstance(write, driver.EffectEnded)
            error = getattr(write, "error", None)
            return Packed(
                lease,
                write,
                input=_pack_input(vault, tenant_id, write),
                output=value(write.output, f"The output of {write.path}")  # type: ignore[union-attr]  # `ended`
                if ended and write.state == "done"  # type: ignore[union-attr]
                else None,
                error=pack_error(vault, error) if error is not None else None,
                logs=pack_lines(write.logs) if write.logs else None,
            )
        case driver.CheckpointSaved():
            return Packed(
                lease, write, output=value(write.state, f"The state of the checkpoint {write.name}")
            )
        case driver.ExecutionCompleted():
            return Packed(lease, write, output=value(write.output, "The output of the execution"))
        case driver.FailureCaptured() | driver.RecordingGapped() | driver.ExecutionFailed():
            return Packed(lease, write, error=pack_error(vault, write.error))
        case driver.CompensationEnded():
            if write.error is not None:
                return Packed(lease, write, error=pack_error(vault, write.error))
            return Packed(lease, write, output=value(write.output, "The output of the compensation"))
        case driver.ExecutionSuspends():
            return Packed(
                lease, write, error=pack_error(vault, write.error) if write.error is not None else None
            )
        case driver.ExecutionWaits():
            _refuse_endless(write)
            return Packed(lease, cast("W", _redact_wait(vault, write)))
        case driver.LogWritten():
            return Packed(lease, write, logs=pack_lines(write.lines))
        case _:
            return Packed(lease, write)


def _pack_input(
    vault: Vault,
    tenant_id: str,
    write: driver.StepCompleted | driver.StepAttemptFailed | driver.EffectIntended | driver.EffectEnded,
) -> PackedValue | None:
    if write.input is None:
        return None
    return vault.pack(tenant_id, cast("JsonValue", write.input), what=f"The input of {write.path}")


def _redact_wait(vault: Vault, write: driver.ExecutionWaits) -> driver.ExecutionWaits:
    """Return what is said about a wait without credentials: it stands in an event."""
    signals = [
        each.model_copy(update={"question": vault.redact(cast("JsonValue", each.question))})
        for each in write.signals
    ]
    detail = vault.redact(cast("JsonValue", write.detail))
    return write.model_copy(update={"detail": detail, "signals": signals})


def _refuse_endless(write: driver.ExecutionWaits) -> None:
    """Refuse to wait for a time that is not told: nothing would ever wake the execution (invariant I6)."""
    if write.wake_at_us is None and write.reason not in {WaitingReason.APPROVAL, WaitingReason.SIGNAL}:
        raise InvalidRequest(f"Waiting for a {write.reason} needs `wake_at_us`, or it would never end.")


def _refuse_kind(write: driver.StepCompleted) -> None:
    if write.kind == "effect":
        raise InvalidRequest(f"{write.path} is an effect; report it with effect.intended and effect.ended.")
