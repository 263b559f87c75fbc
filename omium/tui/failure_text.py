"""A failure in words: what it must answer without scrolling, and the next thing to do, on one key.

Owns sentences and lines. What is asked of the server is the page's, what the keys do failure_acts.py's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from omium.models.execution import ExecutionDetail, StepAttempt
from omium.models.failure import FailureDetail, ReplayBatch
from omium.money import format_credits
from omium.states import ENDED_STATUSES, Driver, ExecutionStatus, FailureKind, FailureStatus
from omium.tui.content import cell, safe, state
from omium.words import ago, count, now_us, span

_LABEL_WIDTH: Final = 10
_FRAMES_MAX: Final = 8
_OMIUM: Final = "/omium/sdk/"  # frames of what is around a step say nothing about its failure
_BAR_WIDTH: Final = 20
_LOOKS: Final = frozenset({"", "o", "t"})
"""Keys that only lead somewhere."""


@dataclass(frozen=True, slots=True)
class Next:
    """The next thing to do: the key that does it (or none), and why."""

    key: str
    sentence: str


def say_failure(detail: FailureDetail, execution: ExecutionDetail | None, *, acts: bool = True) -> Text:
    """Return all that a failure must answer at once; the cost comes with `execution`.

    Without `acts` nothing can be done here, as in a bundle: no key is offered that would.
    """
    following = say_next(detail)
    if not acts and following.key not in _LOOKS:
        following = Next("", "Nothing can be done to it here: this is for looking only.")
    lines = [cell(detail.sentence, "bold"), _standing(detail)]
    facts = [
        ("Cause", _cause(detail)),
        ("Retry", _retry(detail)),
        ("Effects", _effects(detail)),
        ("Cost", _cost(execution)),
        ("Changed", cell(_changed(detail))),
        ("Tries", cell(_tries(detail.attempts))),
        ("Ignored", cell(_ignored(detail))),
        ("Batch", _batch(detail.batch)),
    ]
    for label, text in facts:
        if text.plain:
            lines.append(_labelled(label, text))
    lines.append(_labelled("Next", _next(following)))
    for line in lines:
        line.no_wrap, line.overflow = False, "fold"
    return Text("\n").join(lines)


def say_next(detail: FailureDetail) -> Next:
    """Return the next thing to do."""
    execution = detail.execution
    if detail.batch is not None and detail.batch.status == "running":
        return Next("", "The server replays the group, one after another; wait for its end.")
    if detail.status is not FailureStatus.OPEN:
        return Next("", f"Nothing: it is {detail.status.value.replace('_', ' ')}.")
    if not detail.retry_safe:
        return Next("a", "Say what became of the effect: confirm, redo or skip it.")
    if detail.kind == FailureKind.COMPENSATION_FAILED:
        return Next("a", "Try the compensation again, or leave it out.")
    if execution.status is ExecutionStatus.COMPLETED:
        return Next("v", "It was completed all the same: resolve it.")
    if execution.status not in {ExecutionStatus.FAILED, ExecutionStatus.PAUSED}:
        return Next("o", f"It goes on ({execution.status.value}): look at it, and wait for its end.")
    if execution.driver is Driver.OBSERVED:
        return Next("o", safe(detail.next_action))
    if detail.cause is not None:
        return Next("t", "Something else failed first: go to the cause, and mend that.")
    if detail.open_count > 1:
        return Next(
            "r", f"Mend the cause, then replay it: one, or all {detail.open_count:,} (u resumes one)."
        )
    return Next("r", "Mend the cause, then replay it (u resumes it, p puts another value in).")


def _next(following: Next) -> Text:
    if not following.key:
        return cell(following.sentence)
    text = Text("", end="")
    text.append(f" {following.key} ", "reverse bold")
    text.append(f" {following.sentence}")
    return text


def _labelled(label: str, text: Text) -> Text:
    return Text.assemble((f"{label:<{_LABEL_WIDTH}}", "dim"), text, end="")


def _standing(detail: FailureDetail) -> Text:
    at_us = now_us()
    text = state(detail.status.value)
    seen = f" · {count(detail.count, 'time')}, {detail.open_count:,} open"
    if detail.first_seen_at_us == detail.last_seen_at_us:
        seen += f" · {ago(detail.last_seen_at_us, at_us)}"
    else:
        seen += f" · first {ago(detail.first_seen_at_us, at_us)}, last {ago(detail.last_seen_at_us, at_us)}"
    return text.append(f"{seen} · {detail.execution.environment}")


def _cause(detail: FailureDetail) -> Text:
    if detail.root:
        return cell("This is the root: nothing else failed before it.")
    if detail.cause is None:
        return cell("A cascade: another failure came first.", "yellow")
    where = f", step {detail.cause.key}" if detail.cause.key else ""
    return cell(f"A cascade of {detail.cause.execution_id}{where}.", "yellow")


def _retry(detail: FailureDetail) -> Text:
    glyph, word, tone = ("✓", "safe", "green") if detail.retry_safe else ("✗", "not safe", "red")
    return Text.assemble((f"{glyph} {word}", tone), f": {safe(detail.retry_safe_reason)}", end="")


def _effects(detail: FailureDetail) -> Text:
    text = Text("", end="")
    for each in detail.effects[:8]:
        if isinstance(each, dict):
            text.append(", " if text.plain else "")
            text.append(f"{safe(each.get('key'))} ")
            text.append_text(state(str(each.get("state")), "compensated" if each.get("compensated") else ""))
    if len(detail.effects) > 8:
        text.append(f" and {len(detail.effects) - 8} more")
    return text


def _cost(execution: ExecutionDetail | None) -> Text:
    if execution is None or execution.cost is None:
        return cell("")
    cost = execution.cost
    told = [f"{cost.credits} credits charged"]
    if cost.usage_microcredits:
        told.append(f"{format_credits(cost.usage_microcredits)} of it usage")
    if cost.held_microcredits:
        told.append(f"{format_credits(cost.held_microcredits)} still held")
    elif execution.status in ENDED_STATUSES:
        told.append("the rest of what was held was given back")
    if cost.unpriced_reports:
        told.append(f"{count(cost.unpriced_reports, 'report')} without a price")
    return cell(", ".join(told))


def _changed(detail: FailureDetail) -> str:
    changed = detail.changed
    if changed.since_execution_id is None:
        return "Unknown: it has not completed here yet."
    what = [
        "the code" if changed.code_digest else "",
        _pair("the commit", changed.git_revision),
        f"the models ({', '.join(changed.models[-1])})" if changed.models else "",
        f"the inputs {', '.join(changed.inputs)}" if changed.inputs else "",
    ]
    found = ", ".join(each for each in what if each)
    return f"{found or 'nothing'} since {changed.since_execution_id} completed (d compares)"


def _pair(what: str, pair: list[str | None] | None) -> str:
    if not pair:
        return ""
    was, now = ((each or "none")[:8] for each in pair)
    return f"{what} ({was} to {now})"


def _tries(attempts: list[StepAttempt]) -> str:
    if not attempts:
        return ""
    waits = [f"waited {span(each.delay_us)}" for each in attempts if each.delay_us is not None]
    ended = "gave up" if attempts[-1].delay_us is None else "tries again"
    shown = [*waits[:4], *(["…"] if len(waits) > 4 else [])]
    return f"{count(len(attempts), 'try', 'tries')}: {', '.join([*shown, ended])}"


def _ignored(detail: FailureDetail) -> str:
    if detail.status is not FailureStatus.IGNORED:
        return ""
    until = [
        f"until {ago(detail.ignored_until_us, now_us())}" if detail.ignored_until_us else "",
        f"for {detail.ignored_count_left:,} more" if detail.ignored_count_left is not None else "",
        "until the code changes" if detail.ignored_code is not None else "",
    ]
    terms = ", ".join(each for each in until if each) or "for good"
    return f"{terms}: {detail.ignored_reason or ''}"


def _batch(batch: ReplayBatch | None) -> Text:
    if batch is None:
        return cell("")
    total = max(batch.launched + batch.remaining, 1)
    done = _BAR_WIDTH * batch.launched // total
    why = f" ({safe(batch.stopped_reason)})" if batch.stopped_reason else ""
    tone = {"running": "blue", "done": "green"}.get(batch.status, "yellow")
    bar = f"{'█' * done}{'░' * (_BAR_WIDTH - done)}"
    words = f" {batch.status}{why}: {batch.launched:,} launched, {batch.remaining:,} to go"
    return Text.assemble((bar, tone), words, end="")


# ------------------------------------------------------------------------------------------- its tabs
def say_error(error: object) -> str:
    """Return an error as people read it: type and message, the user's own frames, then all of it."""
    if not isinstance(error, dict):
        return "Nothing is recorded." if error is None else str(error)
    frames = error.get("frames")
    known = [frame for frame in (frames if isinstance(frames, list) else []) if isinstance(frame, dict)]
    own = [frame for frame in known if _OMIUM not in str(frame.get("file"))]
    lines = [f"{error.get('type', 'Error')}: {error.get('message', '')}"]
    lines += [
        f"  {frame.get('file')}:{frame.get('line')} in {frame.get('function')}"
        for frame in (own or known)[-_FRAMES_MAX:]
    ]
    notes = error.get("notes")
    lines += [str(note) for note in (notes if isinstance(notes, list) else [])]
    if error.get("traceback"):
        lines += ["", *_own_lines(str(error["traceback"]))]
    return "\n".join(lines)


def _own_lines(traceback: str) -> Iterator[str]:
    """Yield a traceback without the frames of what is around a step."""
    ours = False
    for line in traceback.splitlines():
        if line.startswith('  File "'):
            ours = _OMIUM in line
        elif not line.startswith("    "):
            ours = False
        if not ours:
            yield line


def say_attempts(attempts: list[StepAttempt]) -> Iterator[str]:
    """Yield a line or two for each failed try, with what was waited after it."""
    for each in attempts:
        took = span(max(each.ended_at_us - each.started_at_us, 0))
        then = "gave up" if each.delay_us is None else f"waited {span(each.delay_us)}"
        error = each.error if isinstance(each.error, dict) else {}
        yield f"try {each.attempt} of {each.key}: took {took}, {then}"
        yield f"    {error.get('type', 'Error')}: {error.get('message', '')}"
