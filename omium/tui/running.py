"""Running a workflow: a form made from its input schema, what it is going to cost, then its execution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from omium.clock import US_PER_S
from omium.errors import Problem
from omium.ids import new_id
from omium.jsonvalue import JsonValue, input_record
from omium.models.execution import Execution, Limits, StartExecution
from omium.models.prices import Estimate
from omium.models.workflows import WorkflowDetail
from omium.money import format_credits, parse_credits
from omium.sdk.async_client import AsyncClient
from omium.states import Driver, Scope
from omium.tui.actions import Action
from omium.tui.asking import Asking
from omium.tui.checks import credits_or_nothing, whole_number
from omium.tui.dialogs import Field
from omium.tui.input_form import InputForm
from omium.tui.refilling import Again, Values, ask_form
from omium.words import count, money, now_us

START: Final = Action(
    "start",
    "s",
    "start",
    "Start it now; a workflow asks for its inputs first, and says what it is going to cost.",
    "Act",
    scope=Scope.RUN,
    changes=True,
)


@dataclass(frozen=True, slots=True)
class _Before:
    """What is known before a workflow is started."""

    detail: WorkflowDetail
    estimate: Estimate | None


def start_workflow(page: Asking, address: str) -> None:
    """Ask for the inputs of a workflow (its id or name), start it, and show its execution."""
    page.fetch(lambda: _look(page.client, address), lambda before: _ask(page, before), name="start")


async def _look(client: AsyncClient, address: str) -> _Before:
    detail = await client.get_workflow(address)
    try:
        estimate = await client.estimate_workflow(workflow=detail.name)
    except Problem:  # who may run it need not see prices; nothing is said of them then
        estimate = None
    return _Before(detail, estimate)


def _ask(page: Asking, before: _Before) -> None:
    detail = before.detail
    form = InputForm(_input_schema(detail))
    who = page.dashboard.link.who
    execution_id = new_id("ex", now_us())
    note = "\n".join(
        filter(
            None,
            [
                f"It runs in {who.environment.value}." if who else "",
                _served_by(detail),
                estimate_text(before.estimate) if before.estimate else "",
            ],
        )
    )

    def use(values: Values, again: Again) -> None:
        command = _make_command(execution_id, detail.name, form.read(values), values)

        def started(answer: object) -> None:
            if isinstance(answer, Execution):
                page.dashboard.open_id(answer.id)

        page.act(
            f"Start {detail.name}",
            lambda: page.client.start_execution(command),
            started,
            said=f"{detail.name} is started.",
            failed=again,
        )

    ask_form(page, f"Start {detail.name}", [*form.fields(), *_TERMS], use, send="Start", note=note)


def _make_command(
    execution_id: str, name: str, inputs: Mapping[str, JsonValue], values: Mapping[str, str]
) -> StartExecution:
    """Return the start; one whose answer was lost is the same one when it is sent again with its id."""
    record = input_record(inputs)
    seconds = values["max_seconds"].strip()
    return StartExecution(
        id=execution_id,
        workflow=name,
        driver=Driver.WORKER,
        queue=values["queue"].strip() or "default",
        input=record.json,
        input_digest=record.digest,
        comparable=record.comparable,
        limits=Limits(
            max_microcredits=parse_credits(values["max_credits"]) if values["max_credits"].strip() else None,
            max_steps=int(values["max_steps"]) if values["max_steps"].strip() else None,
            max_duration_us=int(seconds) * US_PER_S if seconds else None,
        ),
        tags=[tag.strip() for tag in values["tags"].split(",") if tag.strip()],
        business_key=values["business_key"].strip() or None,
    )


_WHOLE: Final = whole_number("This is a whole number, or empty.")
_TERMS: Final = (
    Field("tags", "Tags (optional)", placeholder="nightly, urgent", help="Words to find it by."),
    Field("business_key", "Key (optional)", placeholder="order-4711", help="What it is about in your books."),
    Field(
        "max_credits",
        "Limit of credits (optional)",
        placeholder="50",
        help="It pauses before it would be charged more.",
        check=credits_or_nothing,
    ),
    Field("max_steps", "Limit of steps (optional)", check=_WHOLE),
    Field("max_seconds", "Limit of time (optional)", placeholder="seconds", check=_WHOLE),
    Field("queue", "Queue", placeholder="default"),
)


def _input_schema(detail: WorkflowDetail) -> JsonValue:
    document = None if detail.active is None else detail.active.document
    return document.get("inputs") if isinstance(document, dict) else None


def _served_by(detail: WorkflowDetail) -> str:
    """Say who has to be there for it to run."""
    if detail.active is None:
        return "It is known by what ran: a worker has to serve it (omium worker PATH.py)."
    if detail.mode != "native":
        return ""
    document = detail.active.document
    runtime = document.get("runtime") if isinstance(document, dict) else None
    entrypoint = runtime.get("entrypoint") if isinstance(runtime, dict) else None
    return f"A worker has to serve it: omium worker {entrypoint or 'PATH.py:OBJECT'}"


def estimate_text(found: Estimate) -> str:
    """Return what an execution is going to cost, in a sentence."""
    if not found.executions:
        return (
            "None that was charged has completed yet; the price book asks at least"
            f" {format_credits(found.p50_microcredits)} credits."
        )
    return (
        f"It costs about {format_credits(found.p50_microcredits)} credits (${money(found.p50_usd)}),"
        f" 95 in 100 at most {format_credits(found.p95_microcredits)}:"
        f" from {count(found.executions, 'execution')}."
    )
