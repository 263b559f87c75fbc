"""How a workflow, its versions and what belongs to it are said: facts above the tabs, columns of lists."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from omium.models.execution import ListedExecution
from omium.models.schedules import Schedule, Trigger
from omium.models.workflows import WorkflowDetail, WorkflowVersion, WorkflowVersionDocument
from omium.tui.content import cell, right, safe, state
from omium.tui.start_words import cause, next_time
from omium.tui.widgets.listing import Column
from omium.words import ago, count, now_us, span

VERSION_COLUMNS: Final[tuple[Column[WorkflowVersion], ...]] = (
    Column("Version", lambda v: right(v.version), 7),
    Column("Tags", lambda v: cell(", ".join(v.tags), "magenta"), 16),
    Column("Label", lambda v: cell(v.label or "-"), 12, hide_below=100),
    Column("Saved", lambda v: cell(ago(v.created_at_us, now_us())), 12),
    Column("By", lambda v: cell(v.author), 29, hide_below=120),
    Column("Note", lambda v: cell(_note(v))),
)
RUN_COLUMNS: Final[tuple[Column[ListedExecution], ...]] = (
    Column("Status", lambda e: state(e.status.value, e.reason or "")),
    Column("Execution", lambda e: cell(e.id), 29),
    Column("Began", lambda e: cell(ago(e.created_at_us, now_us())), 12),
    Column("Took", lambda e: right(_took(e)), 8),
    Column("Steps", lambda e: right(e.steps_completed), 6, hide_below=90),
    Column("Environment", lambda e: cell(e.environment), 11, hide_below=110),
    Column("Tags", lambda e: cell(", ".join(e.tags)), 20, hide_below=140),
)


def _start_status(start: Schedule | Trigger) -> Text:
    return state(start.status.value, start.note) if isinstance(start, Schedule) else cell("-", "dim")


def _start_cause(start: Schedule | Trigger) -> str:
    return f"{start.cron} {start.timezone}" if isinstance(start, Schedule) else cause(start)


START_COLUMNS: Final[tuple[Column[Schedule | Trigger], ...]] = (
    Column("Name", lambda s: cell(s.name), 20),
    Column("Kind", lambda s: cell("schedule" if isinstance(s, Schedule) else s.kind.value), 9),
    Column("Status", _start_status, 12),
    Column("When", lambda s: cell(_start_cause(s))),
    Column("Next", lambda s: next_time(s) if isinstance(s, Schedule) else cell("-", "dim"), 11),
    Column("Starts", lambda s: cell(s.workflow), 20, hide_below=120),
)


def _note(version: WorkflowVersion) -> str:
    if version.restored_from is None:
        return version.note or "-"
    return f"version {version.restored_from} again" + (f": {version.note}" if version.note else "")


def _took(execution: ListedExecution) -> str:
    if execution.started_at_us is None:
        return "-"
    return span((execution.ended_at_us or now_us()) - execution.started_at_us)


def facts_text(detail: WorkflowDetail, shown: WorkflowVersionDocument | None) -> Text:
    """Return what is known of a workflow, in a few lines; `shown` is the version that is looked at."""
    text = Text()
    at_us = now_us()
    if detail.archived:
        text.append("archived: nothing starts it; A takes it back\n", "yellow")
    if shown is None:
        text.append("known by its executions; its definition is code\n")
    else:
        label = f" ({safe(shown.label)})" if shown.label else ""
        words = [
            f"version {shown.version}{label}",
            *([] if shown.version == detail.version else [f"not the active one, which is {detail.version}"]),
            safe(shown.source_framework),
            *(["run by its framework"] if shown.mode == "native" else []),
            f"saved {ago(shown.created_at_us, at_us)} by {safe(shown.author)}",
        ]
        text.append(" · ".join(words) + "\n", "" if shown.version == detail.version else "yellow")
    last = detail.last_execution
    if last is None:
        text.append("never run")
    else:
        text.append("last run ")
        text.append_text(state(last.status.value, last.reason or ""))
        text.append(f" {ago(last.created_at_us, at_us)}")
    if detail.open_failures:
        text.append(f" · {count(detail.open_failures, 'open failure')}", "red")
        text.append(f" ({count(detail.open_occurrences, 'time')})")
    if detail.tags:
        text.append(" · " + ", ".join(f"{safe(each.tag)} is {each.version}" for each in detail.tags))
    if detail.description:
        text.append(f"\n{safe(detail.description, length_max=200)}", "dim")
    return text
