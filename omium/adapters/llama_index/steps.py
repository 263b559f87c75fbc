"""Steps: one run of a workflow's step, as a step of the execution.

Owns what is recorded of it: what it gave, what it sent, what it streamed, and the state at its end; and that
a resume does all of it again without running the step. A failure that LlamaIndex goes on from (its own retry,
or a handler of errors) is recorded like a result, so that a resume goes on from it, too. The last one is not:
a resume runs that step again. When whose turn it is, is turns.py's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workflows import Workflow
from workflows.events import Event
from workflows.runtime.control_loop.reduce import _decide_retry_delay
from workflows.runtime.types.results import (
    AddWaiter,
    EmissionKey,
    RetryAttempt,
    RetryDecision,
    SentEvent,
    StepWorkerFailed,
    StepWorkerState,
)
from workflows.runtime.types.step_function import StepWorkerFunction
from workflows.runtime.types.step_id import StepId
from workflows.runtime.types.ticks import TickAddEvent

from omium.adapters.llama_index.run import Run
from omium.adapters.llama_index.usage import metered
from omium.adapters.llama_index.values import show_event
from omium.adapters.recorded import Form, record_async
from omium.errors import OmiumError
from omium.jsonvalue import JsonValue, input_record, plain
from omium.sdk.attempts import RETRIED
from omium.sdk.current import capture_failure
from omium.sdk.options import StepOptions


class StepRun:
    """One run of a step. It is called as LlamaIndex calls what runs its steps."""

    def __init__(self, run: Run, options: StepOptions, work: StepWorkerFunction) -> None:
        self._run = run
        self._options = options
        self._work = work
        self._again: Mapping[str, Any] | None = None

    async def __call__(
        self,
        state: StepWorkerState,
        step_name: str,
        event: Event,
        workflow: Workflow,
        bound_events: dict[str, Event] | None = None,
        retry: RetryAttempt = RetryAttempt(),  # noqa: B008  # frozen, and LlamaIndex's own default
    ) -> list[Any]:
        """Return what the step gave: from its record, or by running it."""
        self._state = state
        self._retry = self._shift(retry)
        self._call = {
            "state": state, "step_name": step_name, "event": event,
            "workflow": workflow, "bound_events": bound_events, "retry": self._retry,
        }  # fmt: skip
        turns = self._run.turns
        turns.begin(self._id, is_recorded=self._options.record)
        form: Form[list[Any]] = Form(self._dump, self._load, _list_returned)
        try:
            outputs = await record_async(self._options, self._describe(), self._run_step, form)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if isinstance(error, OmiumError) and not isinstance(error, RETRIED):
                return await self._end_run(error)
            return [self._tell_failure(error, RetryDecision(delay=None))]
        except BaseException as error:  # Omium's own way to stop: no policy of the workflow may see it
            return await self._end_run(error)
        if self._again is not None:
            self._repeat(self._again, outputs)
        self._run.waits.extend(each.timeout for each in outputs if isinstance(each, AddWaiter))
        return outputs

    @property
    def _id(self) -> str:
        return str(self._state.invocation_id)

    def _shift(self, retry: RetryAttempt) -> RetryAttempt:
        """Return the times of former tries by a clock that runs, as the step itself and policies know it."""
        shift_s = time.time() - self._run.turns.clock.now_s
        last = retry.last_failed_at
        return replace(
            retry,
            first_attempt_at=(retry.first_attempt_at or self._run.turns.clock.now_s) + shift_s,
            last_failed_at=None if last is None else last + shift_s,
        )

    def _describe(self) -> dict[str, object]:
        """Return what tells one run of a step from another, and is shown as its input."""
        state, bound = self._state, self._call["bound_events"]
        shown = show_event(self._call["event"])
        resolved = [
            each.waiter_id for each in state.collected_waiters if each.resolved_event or each.timed_out
        ]
        if bound:
            shown["with"] = {name: show_event(each) for name, each in bound.items()}
        if resolved:
            shown["waited_for"] = len(resolved)
        if self._retry.retry_number:
            shown["retry"] = self._retry.retry_number
        return {**shown, "run": self._id}

    async def _run_step(self) -> list[Any]:
        turns = self._run.turns
        await turns.hold(self._id)
        with metered():
            outputs: list[Any] = await self._work(**self._call)
        failed = next((each for each in outputs if isinstance(each, StepWorkerFailed)), None)
        if failed is not None:
            told = self._judge(failed.exception)
            outputs = [told if each is failed else each for each in outputs]
        await turns.save(self._id)
        return outputs

    def _judge(self, error: Exception) -> StepWorkerFailed:
        """Return a failure that the workflow goes on from; raise one that it does not."""
        if isinstance(error, OmiumError) and not isinstance(error, RETRIED):
            raise error
        workflow, name = self._call["workflow"], self._call["step_name"]
        delay_s = _decide_retry_delay(
            workflow._get_steps()[name]._step_config.retry_policy,  # noqa: SLF001  # it has no public list of them
            elapsed_time=time.time() - self._retry.first_attempt_at,
            failures=self._retry.retry_number + 1,
            exception=error,
            run_id=self._run.run_id,
            step_name=name,
        )
        if delay_s is None and not self._is_caught(workflow, name):
            raise error
        capture_failure(error)
        return self._tell_failure(error, RetryDecision(delay=delay_s))

    def _is_caught(self, workflow: Workflow, name: str) -> bool:
        config = workflow._get_broker_config()  # noqa: SLF001  # what LlamaIndex's loop asks itself
        handler = config.catch_error_handlers.get(config.handler_for_step.get(StepId.root(name)))
        if handler is None:
            return False
        return bool(self._retry.recovery_counts.get(handler.step_name, 0) < handler.max_recoveries)

    def _tell_failure(self, error: Exception, decision: RetryDecision) -> StepWorkerFailed:
        now_s = self._run.turns.clock.now_s
        took_s = time.time() - self._retry.first_attempt_at
        return StepWorkerFailed(
            exception=error, failed_at=now_s, first_attempt_at=now_s - took_s, retry_decision=decision
        )

    async def _end_run(self, error: BaseException) -> list[Any]:
        self._run.turns.fail(error)
        await asyncio.Event().wait()  # the loop ends, and cancels what runs
        raise AssertionError("an event that nobody sets")

    def _dump(self, outputs: list[Any]) -> dict[str, Any]:
        run = self._run
        if not self._options.record:
            run.leave_out(self._id)
            return {}
        told = run.codec.dump_outputs(self._call["step_name"], outputs)
        streamed = [run.codec.dump_event(each) for each in run.take_streamed(self._id)]
        recorded = {**told, **run.store.record(self._id)} | ({"streamed": streamed} if streamed else {})
        run.note(self._id, recorded, input_record({"": recorded}).digest, again=False)
        return recorded

    def _load(self, recorded: Mapping[str, Any]) -> list[Any]:
        outputs: list[Any] = self._run.codec.load_outputs(recorded)
        self._again = recorded
        self._run.note(self._id, dict(recorded), input_record({"": recorded}).digest, again=True)
        return [self._date(each) if isinstance(each, StepWorkerFailed) else each for each in outputs]

    def _date(self, failed: StepWorkerFailed) -> StepWorkerFailed:
        """Return a recorded failure as one of now: what LlamaIndex waits after it is counted from here."""
        now_s = self._run.turns.clock.now_s
        took_s = failed.failed_at - (failed.first_attempt_at or failed.failed_at)
        return failed.model_copy(update={"failed_at": now_s, "first_attempt_at": now_s - took_s})

    def _repeat(self, recorded: Mapping[str, Any], outputs: list[Any]) -> None:
        """Send and stream what the step did, without running it."""
        for told in recorded.get("streamed", ()):
            self._run.queues.publish_queue.put_nowait(self._run.codec.load_event(told))
        for sent in outputs:
            if isinstance(sent, SentEvent):
                key = EmissionKey(invocation_id=self._id, index=sent.index)
                counts = dict(sent.recovery_counts)
                self._run.turns.mailbox.put_nowait(
                    TickAddEvent(event=sent.event, step_id=sent.step_id, recovery_counts=counts, emission=key)
                )


def _list_returned(recorded: JsonValue) -> list[JsonValue]:
    """Return the event that a step returned, by its fields; none where it failed, collects or waits."""
    results = recorded["results"] if isinstance(recorded, dict) else []
    returned = [each.get("result") for each in results if each.get("type") == "result"]  # type: ignore[union-attr]
    return [plain(each["value"]) for each in returned if isinstance(each, dict)]
