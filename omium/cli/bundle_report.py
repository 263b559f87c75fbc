"""What is printed of a bundle: a report for people, one JSON object for scripts, a step's output.

Owns the order of the report. Its parts are those that the commands about executions print of a server's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from omium.cli.cells import state
from omium.cli.credits import show_lines
from omium.cli.detail import error_text, find_without_step, show_detail, show_effects
from omium.cli.executions import show_event, show_executions
from omium.cli.failures import show_failure_detail
from omium.cli.logs import show_line
from omium.cli.steps import find_step_key
from omium.cli.table import Column
from omium.errors import NotInBundle
from omium.states import StepStatus
from omium.words import count, json_text, local_time, size

if TYPE_CHECKING:
    from omium.bundle import Bundle, Manifest, SyncBundleClient
    from omium.cli.output import Output
    from omium.models.execution import ExecutionDetail

T = TypeVar("T")

PAGE: Final = 500
STEPS_MAX: Final = 1_000
TAIL: Final = 50
"""How many of the last events and lines the report has; --json has all events."""


def summarise(manifest: Manifest) -> dict[str, object]:
    """Return what a manifest says, without its list of parts."""
    return manifest.model_dump(mode="json", exclude={"parts"}) | {"parts": len(manifest.parts)}


def tell_value(output: Output, bundle: Bundle, execution_id: str, step: str) -> None:
    """Print what a step returned, whole: text as text, anything else as JSON."""
    client = _client(bundle)
    recorded = client.get_step_value(execution_id, path=find_step_key(client, execution_id, step)).output
    if output.as_json:
        output.json(recorded)
    else:
        output.show(recorded if isinstance(recorded, str) else json_text(recorded, indent=2))


def tell_json(output: Output, bundle: Bundle, execution_id: str) -> None:
    """Print everything about an execution but its logs and long values as one object."""
    client = _client(bundle)
    detail = client.get_execution(execution_id)
    steps = list(client.each(client.list_steps, execution_id, limit=PAGE))
    failures = client.each(client.list_failures, execution=execution_id, limit=PAGE)
    attempts = list(client.each(client.list_attempts, execution_id, limit=PAGE))
    effects = list(client.each(client.list_effects, execution_id, limit=PAGE))
    compensations = list(client.each(client.list_compensations, execution_id, limit=PAGE))
    usage = list(client.each(client.list_usage, execution_id=execution_id, limit=PAGE))
    charges = list(client.each(client.list_credit_history, execution=execution_id, limit=PAGE))
    events = list(client.each(client.list_events, execution_id, limit=PAGE))
    output.json(
        {
            "bundle": summarise(bundle.manifest)
            | {"size_bytes": bundle.size_bytes, "sha256": bundle.file_sha256()},
            "execution": detail.model_dump(mode="json") | {"steps": steps, "steps_next": None},
            "failures": [client.get_failure(each.id) for each in failures],
            "attempts": attempts,
            "effects": effects,
            "compensations": compensations,
            "usage": usage,
            "charges": charges,
            "events": events,
        }
    )


def tell_words(output: Output, bundle: Bundle, execution_id: str) -> None:
    """Print a report: what failed first, then what there is to know of it."""
    client = _client(bundle)
    detail = client.get_execution(execution_id)
    _show_bundle(output, bundle)
    for failure in client.each(client.list_failures, execution=execution_id, limit=PAGE):
        output.show("")
        show_failure_detail(output, client.get_failure(failure.id), offline=True)
    output.heading("Execution")
    steps = list(islice(client.each(client.list_steps, execution_id, limit=PAGE), STEPS_MAX + 1))
    more = "more" if len(steps) > STEPS_MAX else None
    whole = detail.model_copy(update={"steps": steps[:STEPS_MAX], "steps_next": more})
    effects = list(client.each(client.list_effects, execution_id, limit=PAGE))
    show_detail(output, whole, effects, offline=True)
    _show_step_errors(output, whole)
    if len(effects) > len(find_without_step(whole, effects)):
        output.heading("Effects")
        show_effects(output, effects)
    _show_compensations(output, client, execution_id)
    _show_family(output, client, detail)
    charges = list(client.each(client.list_credit_history, execution=execution_id, limit=PAGE))
    if charges:
        output.heading("Credits")
        show_lines(output, charges)
    _show_logs(output, client, execution_id)
    _show_events(output, client, execution_id)


def _client(bundle: Bundle) -> SyncBundleClient:
    from omium.bundle import SyncBundleClient  # pydantic and httpx: only commands that read one pay

    return SyncBundleClient(bundle)


def _show_bundle(output: Output, bundle: Bundle) -> None:
    manifest = bundle.manifest
    others = len(manifest.executions) - 1
    output.facts(
        [
            ("Bundle", f"{bundle.path.name}, {size(bundle.size_bytes)}"),
            ("Made", f"{local_time(manifest.made_at_us)} by Omium {manifest.omium}"),
            ("SHA-256", bundle.file_sha256()),
            ("Checked", f"{count(len(manifest.parts), 'part')}: as they were written"),
            ("Holds also", f"{count(others, 'execution')} below it (--execution ID)" if others else None),
            ("Masked", count(manifest.redacted, "secret") if manifest.redacted else None),
            ("Values", None if manifest.with_values else "left out"),
        ]
    )
    if any(not held.settled for held in manifest.executions):
        output.warn("It went on while it was read: parts may be of different moments.")
    for each in manifest.left_out[:10]:
        output.warn(f"Left out: {each.what} of {each.execution_id}: {each.why}")


def _show_step_errors(output: Output, detail: ExecutionDetail) -> None:
    """Print the errors of failed steps, but for the one that the execution itself failed with."""
    told = _message(detail.error)
    failed = [step for step in detail.steps if step.error and step.status is not StepStatus.COMPLETED]
    for step in [step for step in failed if _message(step.error) != told][:TAIL]:
        output.heading(f"Error of {step.key}")
        output.show(error_text(step.error))


def _message(error: object) -> object:
    return error.get("message") if isinstance(error, dict) else None


def _show_compensations(output: Output, client: SyncBundleClient, execution_id: str) -> None:
    found = list(client.each(client.list_compensations, execution_id, limit=PAGE))
    if not found:
        return
    output.heading("Compensations")
    output.table(
        [
            Column("STEP", lambda c: c.key, give="cut", width_min=16),
            Column("STATUS", lambda c: state(c.status)),
            Column("RUNS", lambda c: c.compensate, give="cut"),
            Column("TRIES", lambda c: str(c.attempt), align="right", spare=1),
        ],
        found,
        empty="",
    )


def _show_family(output: Output, client: SyncBundleClient, detail: ExecutionDetail) -> None:
    for heading, rows in (
        ("Children", client.list_executions(parent=detail.id, limit=PAGE).items),
        ("Replays", client.list_executions(replay_of=detail.id, limit=PAGE).items),
    ):
        if rows:
            output.heading(heading)
            show_executions(output, rows, empty="")


def _show_logs(output: Output, client: SyncBundleClient, execution_id: str) -> None:
    try:
        lines, earlier = _tail(client.each(client.list_logs, execution_id, limit=PAGE))
    except NotInBundle:  # made without values
        return
    if lines:
        output.heading(
            f"Logs (the last {len(lines)} of {len(lines) + earlier:,} lines)" if earlier else "Logs"
        )
    for line in lines:
        show_line(output, line)


def _show_events(output: Output, client: SyncBundleClient, execution_id: str) -> None:
    events, earlier = _tail(client.each(client.list_events, execution_id, limit=PAGE))
    output.heading(f"Events (the last {len(events)} of {len(events) + earlier:,})" if earlier else "Events")
    for event in events:
        show_event(output, event)


def _tail(items: Iterator[T]) -> tuple[list[T], int]:
    """Return the last of `items`, and how many came before."""
    last: deque[T] = deque(maxlen=TAIL)
    total = 0
    for item in items:
        last.append(item)
        total += 1
    return list(last), total - len(last)
