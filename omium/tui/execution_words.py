"""What is said of one execution above its steps: how it stands, why, what it cost, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from rich.text import Text

from omium.models.approval import AwaitedSignal
from omium.models.execution import ExecutionDetail
from omium.models.traces import TRACE_SPANS_MAX
from omium.money import format_credits
from omium.states import Driver, ExecutionStatus, PausedReason, Runner, WaitingReason
from omium.tui.content import cell, safe, state
from omium.tui.execution_panes import error_words
from omium.tui.going_on import worker_line
from omium.words import ago, count, now_us, refused_words, slot_words, span, value


def describe(detail: ExecutionDetail, *, acts: bool = True) -> list[Text]:
    """Return two or three lines: how it stands with its figures, why, and what to do next.

    Without `acts` nothing can be done here, as in a bundle: no key is offered.
    """
    head = state(detail.status.value, "cancelling" if detail.cancelling else detail.reason or "")
    head.append(f" · {safe(' · '.join(_facts(detail)))}", "")
    lines = [head]
    why = _why(detail)
    if why:
        lines.append(cell(why, "red" if detail.status is ExecutionStatus.FAILED else "yellow"))
    if detail.refused_spans:
        lines.append(cell(f"Incomplete: {refused_words(detail.refused_spans, TRACE_SPANS_MAX)}.", "yellow"))
    following = next_words(detail) if acts else ""
    if following:
        lines.append(cell(following, "dim"))
    return lines


def _facts(detail: ExecutionDetail) -> Iterator[str]:
    at_us = now_us()
    yield detail.workflow if detail.version is None else f"{detail.workflow}@{detail.version}"
    yield detail.environment
    if detail.started_at_us is not None:
        took = span((detail.ended_at_us or at_us) - detail.started_at_us)
        yield f"took {took}" if detail.ended_at_us else f"for {took}"
    yield count(detail.steps_completed, "step")
    if detail.cost is not None:
        held = detail.cost.held_microcredits
        yield f"{detail.cost.credits} credits" + (f" ({format_credits(held)} held)" if held else "")
    if detail.attempt > 1:
        yield f"taken up {detail.attempt} times"
    if detail.interruptions:
        yield f"interrupted {count(detail.interruptions, 'time')}"
    yield f"began {ago(detail.started_at_us or detail.created_at_us, at_us)}"
    if detail.usage.calls:
        tokens = detail.usage.input_tokens + detail.usage.output_tokens
        yield f"{tokens:,} tokens"
    if detail.business_key:
        yield detail.business_key
    yield from (f"#{tag}" for tag in detail.tags)


def _why(detail: ExecutionDetail) -> str:
    if detail.silent:
        return "Its driver has not been heard of: it may run without us, or be gone."
    if detail.error is not None and detail.status is ExecutionStatus.FAILED:
        return error_words(detail.error)
    if detail.status is ExecutionStatus.WAITING:
        latest = ", at the latest" if detail.reason == WaitingReason.SLOT else ""
        wakes = f"; wakes {ago(detail.wake_at_us, now_us())}{latest}" if detail.wake_at_us is not None else ""
        told = f"It waits for {_awaited(detail)}{wakes}"
        return told if told.endswith(("?", "!", ".")) else f"{told}."  # as a question ends by itself
    if detail.status is ExecutionStatus.PAUSED:
        return _PAUSED.get(detail.reason or "", "It is paused.")
    return ""


def _awaited(detail: ExecutionDetail) -> str:
    if (slot := detail.awaited_slot) is not None:
        return slot_words(slot.key, slot.limit)
    if detail.awaited_signals:
        return " or ".join(dict.fromkeys(_asked(each) for each in detail.awaited_signals))
    return _WAITS.get(detail.reason or "", detail.reason or "something")


def _asked(signal: AwaitedSignal) -> str:
    question = "" if signal.question is None else f": {value(signal.question, length_max=200)}"
    return f"the signal {signal.name}{question}"


_WAITS: Mapping[str, str] = {
    WaitingReason.TIMER: "a time",
    WaitingReason.RETRY: "the next try of a step",
    WaitingReason.APPROVAL: "a person",
    WaitingReason.SIGNAL: "a signal",
    WaitingReason.SLOT: "others of its kind to end",
    WaitingReason.BREAKER: "a circuit breaker to close",
}
_PAUSED: Mapping[str, str] = {
    PausedReason.OPERATOR: "Somebody paused it.",
    PausedReason.ROLLBACK: "It was rolled back, and stands until it is resumed.",
    PausedReason.ROLLBACK_FAILED: "A compensation of its rollback failed.",
    PausedReason.CREDITS: "There are not enough credits to go on.",
    PausedReason.LIMIT: "It has reached one of its own limits.",
    PausedReason.EFFECT: "Whether a side effect happened is unknown, and must be decided.",
    PausedReason.KEY_REVOKED: "The key that it ran with was revoked.",
    PausedReason.IMPORTED: "It was imported unfinished: the framework that ran it goes on with it.",
}


def next_words(detail: ExecutionDetail) -> str:
    """Return what can be done next, with its keys; empty if there is nothing to do."""
    if detail.driver is Driver.OBSERVED:
        return "It was only observed: Omium did not run it, so it can be neither resumed nor replayed."
    match detail.status:
        case ExecutionStatus.FAILED:
            return "Next: u goes on from there, p mends a value, r runs it anew, b goes back."
        case ExecutionStatus.PAUSED if detail.reason == PausedReason.EFFECT:
            return "Next: a decides what became of it, then u goes on."
        case ExecutionStatus.PAUSED if detail.reason == PausedReason.CREDITS:
            return "Next: 7 tops up, then u goes on."
        case ExecutionStatus.PAUSED:
            return "Next: u goes on, c ends it."
        case ExecutionStatus.WAITING if detail.reason == WaitingReason.APPROVAL:
            return "Next: a answers it."
        case ExecutionStatus.WAITING if detail.reason == WaitingReason.SIGNAL:
            local = "; then u goes on" if detail.driver is Driver.LOCAL else ""
            return f"Next: S tells it{local}."
        case ExecutionStatus.QUEUED if detail.runner.runner is Runner.NONE:
            line = worker_line(detail.workflow, detail.runner, detail.code)
            return f"No worker serves it. Start one: {line}; or u runs it here."
        case (
            ExecutionStatus.QUEUED
            | ExecutionStatus.RUNNING
            | ExecutionStatus.WAITING
            | ExecutionStatus.COMPLETED
            | ExecutionStatus.CANCELLED
        ):
            return ""
    assert_never(detail.status)
