"""Effects: steps that change the world outside, and what is known of each (semantics 2.7).

Owns the two writes around the call. The intent is acknowledged by the server before the function is called,
also in relaxed mode; so a crash in between leaves a question that a person answers, never a second effect. An
exception is as unknown as a crash, unless the function says otherwise.
"""

from __future__ import annotations

from omium.clock import US_PER_S
from omium.errorinfo import describe_exception
from omium.errors import (
    ConnectionLost,
    EffectBlocked,
    EffectNotApplied,
    EffectUnavailable,
    EffectUnresolved,
    LimitReached,
    OutputInvalid,
    Unserialisable,
)
from omium.jsonvalue import JsonValue, decode
from omium.retry import may_retry
from omium.sdk.attempts import Attempt, Recorded
from omium.sdk.flows import Flow

RETURNED = (OutputInvalid, Unserialisable)
"""What says that the function has returned, though nothing that is recorded: the effect may have happened."""
LAST_WORD_S = 5.0  # for the report of an effect that was interrupted: nobody wants to wait


class EffectAttempt(Attempt):
    """One try of an effect. `frame.effect_key` is set once the server knows that it is about to happen."""

    def announce(self) -> Flow[Recorded | None]:
        """Have the intent acknowledged. Returns what is recorded if the effect may not be called any more."""
        options = self.call.options
        body = self.body()
        intent = {**body, "type": "effect.intended", "mode": options.effect, "compensate": options.compensate}
        relaxed = self.driving.lease.relaxed
        wait_s = self.driving.link.effect_wait_s if relaxed else None
        try:
            outcome = yield from self.driving.write(intent, within_s=wait_s)
        except (EffectBlocked, EffectUnresolved) as error:
            raise self.driving.suspension("effect", f"stopped before {self.path}: {error.detail}") from error
        except LimitReached as error:
            raise self.driving.suspension("limit", f"stopped before {self.path}: {error.detail}") from error
        except ConnectionLost as error:
            if not relaxed:
                raise
            raise EffectUnavailable(
                f"The effect {self.path} was not called: the server could not be told of it within "
                f"{wait_s:g} s. Start the server, then run it again."
            ) from error
        answer = outcome.effect
        assert answer is not None, "the server answers every effect.intended"
        if answer["may_call"]:
            self.frame.effect_key = str(answer["effect_key"])
            return None
        if answer["state"] in ("done", "skipped"):
            return Recorded(decode(answer.get("output"), types=self.call.types))
        raise self.driving.suspension(
            "effect",
            f"stopped before {self.path}: what became of it is {answer['state']}; confirm, redo or skip it",
        )

    def record_success(self, output: JsonValue) -> Flow[None]:
        """Report that it was done, which also records the step."""
        yield from self._end("done", output=output)

    def record_failure(self, error: Exception, delay_s: float | None) -> Flow[float | None]:
        """Report what is known after an exception; suspend the branch where only a person can tell."""
        if self.frame.effect_key is None:  # it was not called
            return (yield from super().record_failure(error, delay_s))
        if self._was_not_applied(error):
            yield from self._end("not_applied", error=error, delay_s=delay_s)
            return delay_s
        if self.call.options.effect == "once" or isinstance(error, RETURNED):
            delay_s = None
        yield from self._end("unknown", error=error, delay_s=delay_s)
        if delay_s is not None:
            return delay_s
        raise self.driving.suspension(
            "effect",
            f"stopped: whether {self.path} took effect is unknown after {type(error).__name__}; "
            "confirm, redo or skip it",
        ) from error

    def interrupt(self, error: BaseException) -> Flow[None]:
        """Report that it was cut off, if there is still somebody to tell."""
        yield from super().interrupt(error)
        if self.frame.effect_key is None:
            return
        try:
            yield from self._end("unknown", error=error, within_s=LAST_WORD_S)
        except Exception:  # a boundary: without this report the server finds out by the lost lease
            return

    def _was_not_applied(self, error: Exception) -> bool:
        if isinstance(error, RETURNED):
            return False
        policy = self.call.options.retry
        return isinstance(error, EffectNotApplied) or (bool(policy.retry_on) and may_retry(policy, error))

    def _end(
        self,
        state: str,
        *,
        output: JsonValue = None,
        error: BaseException | None = None,
        delay_s: float | None = None,
        within_s: float | None = None,
    ) -> Flow[None]:
        body: dict[str, object] = {
            **self.body(),
            "type": "effect.ended",
            "effect_key": self.frame.effect_key,
            "state": state,
            "output": output,
            "error": None if error is None else describe_exception(error).to_json(),
            "delay_us": None if delay_s is None else round(delay_s * US_PER_S),
        }
        yield from self.driving.write(body, within_s=within_s)
