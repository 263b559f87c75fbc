"""One execution on a page: facts, steps as a tree, input, output, error, and what to do next."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING

from omium.cli.cells import state
from omium.cli.serving import worker_line
from omium.cli.table import Column
from omium.money import format_credits
from omium.states import Driver, ExecutionStatus, Runner, StepStatus, WaitingReason
from omium.words import ago, count, now_us, refused_words, size, slot_words, span, value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omium.cli.output import Output
    from omium.models.approval import AwaitedSignal
    from omium.models.execution import Cost, Execution, ExecutionDetail, Step
    from omium.models.replay import EffectView
    from omium.models.slot import Slot

_FRAMES_MAX = 8
_OMIUM = "/omium/sdk/"  # frames of what is around a step say nothing about its failure


def took(execution: Execution, at_us: int) -> str:
    """Return how long an execution has been under way, or took."""
    if execution.started_at_us is None:
        return "-"
    return span((execution.ended_at_us or at_us) - execution.started_at_us)


def show_detail(
    output: Output, detail: ExecutionDetail, effects: Sequence[EffectView] = (), *, offline: bool = False
) -> None:
    """Print everything about one execution that fits on a page; what to do next, unless `offline`.

    `effects` are those that it announced. One that was never answered is no step yet, also when a person has
    decided it: its step is recorded when the execution goes on.
    """
    _show_facts(output, detail)
    if detail.steps:
        output.heading("Steps")
        show_steps(output, detail.steps, detail.cost)
        if detail.steps_next is not None:
            output.say("There are more steps: --json prints all of them.")
    unanswered = find_without_step(detail, effects)
    if unanswered:
        output.heading("Effects without an answer")
        show_effects(output, unanswered)
    if detail.checkpoints:
        output.heading("Checkpoints")
        output.facts(
            (each.name, f"event {each.seq}, {size(each.state_size_bytes)}") for each in detail.checkpoints
        )
    for name, recorded in (("Input", detail.input), ("Output", detail.output)):
        if recorded not in (None, {}):
            output.heading(name)
            output.show(value(recorded))
    if detail.error:
        output.heading("Error")
        output.show(error_text(detail.error))
    if not offline:
        _say_next(
            output, detail, decided=bool(unanswered) and not any(_is_open(effect) for effect in unanswered)
        )


def _show_facts(output: Output, detail: ExecutionDetail) -> None:
    at_us = now_us()
    usage = detail.usage
    started = ago(detail.started_at_us or detail.created_at_us, at_us)
    output.facts(
        [
            ("Execution", detail.id),
            ("Workflow", f"{_named(detail)} ({detail.environment})"),
            (
                "Status",
                state(detail.status.value, "cancelling" if detail.cancelling else detail.reason or ""),
            ),
            ("Started", f"{started}, attempt {detail.attempt}" if detail.attempt else f"queued {started}"),
            ("Took", None if detail.started_at_us is None else took(detail, at_us)),
            ("Waits for", tell_slot(detail.awaited_slot) or tell_signals(detail.awaited_signals)),
            ("Wakes", tell_wake(detail, at_us)),
            ("Business key", detail.business_key),
            ("Tags", ", ".join(detail.tags) or None),
            ("Replay of", detail.replay_of),
            ("Parent", detail.parent_id),
            ("Replays", ", ".join(detail.replays) or None),
            ("Children", ", ".join(detail.children) or None),
            ("Running", ", ".join(detail.running_steps) or None),
            ("Interrupted", count(detail.interruptions, "time") if detail.interruptions else None),
            ("Incomplete", tell_refused(detail)),
            ("Silent", "its driver has not been heard of" if detail.silent else None),
            (
                "Usage",
                f"{count(usage.calls, 'call')}, {usage.input_tokens:,} tokens in, {usage.output_tokens:,} out"
                if usage.calls
                else None,
            ),
            ("Cost", None if detail.cost is None else _cost(detail.cost)),
        ]
    )


def tell_refused(detail: ExecutionDetail) -> str | None:
    """Return what is missing of what was observed, None where nothing is."""
    if not detail.refused_spans:
        return None
    from omium.models.traces import TRACE_SPANS_MAX

    return refused_words(detail.refused_spans, TRACE_SPANS_MAX)


def tell_slot(slot: Slot | None) -> str | None:
    """Return the slot that an execution waits for, None where it waits for none."""
    if slot is None:
        return None
    return f"{slot_words(slot.key, slot.limit)}: omium slots {shlex.quote(slot.key)}"


def tell_signals(signals: Sequence[AwaitedSignal]) -> str | None:
    """Return the names of the signals that an execution waits for, None where it waits for none."""
    names = list(dict.fromkeys(each.name for each in signals))
    return f"the signal {' or '.join(names)}" if names else None


def answer_words(detail: ExecutionDetail) -> str:
    """Return what a waiting execution asks, and how it is told."""
    signals = detail.awaited_signals
    names = dict.fromkeys(each.name for each in signals)
    lines = [f"{each.name} asks: {value(each.question)}" for each in signals if each.question is not None]
    lines += [f"Answer: omium signal {detail.id} {shlex.quote(name)} --data JSON" for name in names]
    if detail.driver is Driver.LOCAL:
        lines.append(f"Then:   omium resume {detail.id}")
    return "\n".join(lines)


def tell_wake(detail: ExecutionDetail, at_us: int) -> str | None:
    """Return when it goes on, None where nobody knows; a slot may come before the time that is noted."""
    if detail.wake_at_us is None:
        return None
    wakes = ago(detail.wake_at_us, at_us)
    return f"when its turn has come, {wakes} at the latest" if detail.reason == WaitingReason.SLOT else wakes


def _named(detail: ExecutionDetail) -> str:
    return detail.workflow if detail.version is None else f"{detail.workflow}@{detail.version}"


def _cost(cost: Cost) -> str:
    told = [f"{cost.credits} credits"]
    if cost.usage_microcredits:
        told.append(f"{format_credits(cost.usage_microcredits)} of it usage")
    if cost.held_microcredits:
        told.append(f"{format_credits(cost.held_microcredits)} held")
    if cost.limit_microcredits is not None:
        told.append(f"limit {format_credits(cost.limit_microcredits)}")
    if cost.unpriced_reports:
        told.append(f"{count(cost.unpriced_reports, 'report')} without a price")
    return ", ".join(told)


def show_steps(output: Output, steps: Sequence[Step], cost: Cost | None = None) -> None:
    """Print steps as a table, indented as they are nested; with `cost`, what each was charged."""
    used = {each.key: each.microcredits for each in cost.steps} if cost is not None else {}
    free = set(cost.free_steps) if cost is not None else set()

    def charged(step: Step) -> str:
        own = step.status is StepStatus.COMPLETED and not step.reused_from and not step.key.startswith("~")
        price = cost.step_microcredits if cost is not None and own and step.key not in free else 0
        return format_credits(price + used.get(step.key, 0))

    prices = [Column("CREDITS", charged, align="right", spare=3)] if cost is not None else []
    output.table(
        [
            Column(
                "STEP", lambda s: "  " * s.key.count("/") + s.key.rpartition("/")[2], give="cut", width_min=16
            ),
            Column("STATUS", lambda s: state(s.status.value, _step_note(s)), give="cut", width_min=12),
            Column("TRIES", lambda s: str(s.attempt), align="right", spare=1),
            Column("TOOK", lambda s: span(s.ended_at_us - s.started_at_us), align="right"),
            Column(
                "OUTPUT",
                lambda s: "[sealed]" if s.output_sealed else size(s.output_size_bytes),
                align="right",
                spare=2,
            ),
            *prices,
        ],
        in_order(steps),
        empty="No steps are recorded.",
    )


def show_effects(output: Output, effects: Sequence[EffectView], *, empty: str = "") -> None:
    """Print side effects as a table; `empty` is said where there are none."""
    at_us = now_us()
    output.table(
        [
            Column("STEP", lambda e: e.key, give="cut", width_min=16),
            Column("STATE", lambda e: state(e.state, "compensated" if e.compensated else "")),
            Column("TRIES", lambda e: str(e.attempt), align="right", spare=2),
            Column("ANNOUNCED", lambda e: ago(e.intended_at_us, at_us)),
            Column("DECIDED BY", lambda e: e.decided_by or "-", give="id", spare=1),
            Column("UNDONE BY", lambda e: e.compensate or "-", give="cut", spare=3),
        ],
        effects,
        empty=empty,
    )


def find_without_step(detail: ExecutionDetail, effects: Sequence[EffectView]) -> list[EffectView]:
    """Return the newest effect of each step that has no record; behind one to redo there is another."""
    newest = {effect.key: effect for effect in sorted(effects, key=lambda effect: effect.redo)}
    recorded = {step.key for step in detail.steps if step.superseded_seq is None}
    return [
        effect
        for effect in sorted(newest.values(), key=lambda effect: effect.intended_at_us)
        if effect.key not in recorded and (_is_open(effect) or detail.steps_next is None)
    ]


def _is_open(effect: EffectView) -> bool:
    return effect.decided_by is None and effect.state in ("unknown", "intended")


def in_order(steps: Sequence[Step]) -> list[Step]:
    """Return steps by their start; of those that start together outer ones first, then as they ended."""
    ended = {step.key: _ended(step) for step in steps}

    def place(step: Step) -> tuple[int, list[tuple[float, str]]]:
        parts = step.key.split("/")
        keys = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
        outer = [(ended.get(key, math.inf), key) for key in keys[:-1]]
        return step.started_at_us, [*outer, (_ended(step), step.key)]

    return sorted(steps, key=place)


def _ended(step: Step) -> float:
    return math.inf if step.completed_seq is None else step.completed_seq


def _step_note(step: Step) -> str:
    notes = [
        "superseded" if step.superseded_seq is not None else "",
        "reused" if step.reused_from else "",
        "patched" if step.edited_by else "",
        f"effect {step.effect_state.replace('_', ' ')}" if step.effect_state else "",
    ]
    return ", ".join(note for note in notes if note)


def error_text(error: object) -> str:
    """Return an ErrorInfo as people read it: type and message, then the innermost frames."""
    if not isinstance(error, dict):
        return value(error)
    head = value(f"{error.get('type', 'Error')}: {error.get('message', '')}")
    frames = error.get("frames")
    known = [frame for frame in (frames if isinstance(frames, list) else []) if isinstance(frame, dict)]
    own = [frame for frame in known if _OMIUM not in str(frame.get("file"))]
    lines = [
        f"  {frame.get('file')}:{frame.get('line')} in {frame.get('function')}" for frame in own or known
    ]
    return "\n".join([head, *lines[-_FRAMES_MAX:]])


def _say_next(output: Output, detail: ExecutionDetail, *, decided: bool = False) -> None:
    if detail.driver is Driver.OBSERVED:
        if "imported" in detail.tags and "langgraph" in detail.tags:
            output.say(
                "\nIt was imported from a store of LangGraph's. Its thread goes on under Omium with"
                f" instrument(graph).take_thread(saver, {detail.business_key!r}): docs/attach.md."
            )
            return
        output.say("\nIt was only observed: Omium did not run it, so it cannot be resumed or replayed.")
        return
    match detail.status:
        case ExecutionStatus.FAILED:
            failed = [step.key for step in detail.steps if step.status is StepStatus.FAILED]
            output.say(
                f"\nGo on:  omium resume {detail.id}"
                f"\nAnew:   omium replay {detail.id} --from {shlex.quote(failed[-1]) if failed else 'STEP'}"
            )
        case ExecutionStatus.PAUSED if detail.reason == "effect" and not decided:
            output.say(
                f"\nIts outcome must be decided: omium executions effects {detail.id}"
                f"\nThen: omium decide {detail.id} STEP confirm|redo|skip"
            )
        case ExecutionStatus.PAUSED if detail.reason == "credits":
            worker = detail.driver is Driver.WORKER
            then = "it goes on by itself" if worker else f"omium resume {detail.id}"
            output.say(f"\nTop up, or raise the cap of its key: omium credits topup 20\nThen: {then}")
        case ExecutionStatus.WAITING if detail.awaited_signals:
            output.say(f"\n{answer_words(detail)}")
        case ExecutionStatus.WAITING if detail.driver is Driver.ENGINE:
            if detail.reason == WaitingReason.APPROVAL:
                output.say("\nDecide: omium approvals list")
        case ExecutionStatus.PAUSED | ExecutionStatus.WAITING:
            output.say(f"\nGo on: omium resume {detail.id}")
        case ExecutionStatus.QUEUED if detail.runner.runner is Runner.NONE:
            output.say(f"\nNo worker serves it. Start one: {worker_line(detail)}")
        case _:
            pass
