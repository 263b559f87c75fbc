"""Forms for what starts workflows by itself (schedules, triggers), and for webhooks that nodes are pushed to.

A secret that the server shows once is shown once here, too, and can be copied.
"""

from __future__ import annotations

from typing import Final

from omium.errors import InvalidJson
from omium.jsonvalue import JsonValue, parse_json
from omium.models.schedules import CreateSchedule, CreateTrigger, NewTrigger, Schedule
from omium.models.webhook import CALLBACK_S, CONCURRENCY, REPLY_S, CreateWebhook, NewWebhook
from omium.states import EndOutcome, Environment, MissedPolicy, OverlapPolicy, TriggerKind
from omium.tui.asking import Asking
from omium.tui.checks import whole_number
from omium.tui.content import safe
from omium.tui.dialogs import Field, Reading
from omium.tui.refilling import Again, Values, ask_form
from omium.words import zoned_time

_ENVIRONMENT: Final = Field(
    "environment",
    "Environment (optional)",
    kind="choice",
    choices=[each.value for each in Environment],
    help="Where; else that of your key.",
)
_WHOLE: Final = whole_number("This is a whole number.", empty=False)
_QUEUE: Final = Field("queue", "Queue", value="default", required=True)


def _check_json(text: str) -> str | None:
    try:
        _read_json(text)
    except InvalidJson as wrong:
        return str(wrong)
    return None


def _read_json(text: str) -> JsonValue:
    return parse_json(text) if text.strip() else None


def create_schedule(page: Asking, workflow: str = "") -> None:
    """Ask for a schedule, and make it."""
    fields = [
        Field("name", "Name", placeholder="morning", required=True),
        Field("workflow", "Workflow", value=workflow, placeholder="What it starts", required=True),
        Field(
            "cron",
            "When",
            placeholder="0 9 * * MON-FRI",
            help="Minute, hour, day, month, weekday; */15 for every 15th.",
            required=True,
        ),
        Field(
            "timezone", "Time zone", value="UTC", help="Whose clock, such as Europe/Berlin.", required=True
        ),
        Field("input", "Inputs (optional)", kind="lines", help="A JSON object.", check=_check_json),
        Field(
            "overlap",
            "While the one before still runs",
            value=OverlapPolicy.SKIP.value,
            kind="choice",
            choices=[each.value for each in OverlapPolicy],
            required=True,
        ),
        Field(
            "missed",
            "Times at which no server ran",
            value=MissedPolicy.ONE.value,
            kind="choice",
            choices=[each.value for each in MissedPolicy],
            help="Leave them out, start once for all of them, or for each.",
            required=True,
        ),
        Field("missed_max", "How many of them with all", value="10", check=_WHOLE),
        _ENVIRONMENT,
        _QUEUE,
    ]

    def use(values: Values, again: Again) -> None:
        given = _read_json(values["input"])
        command = CreateSchedule(
            name=values["name"].strip(),
            workflow=values["workflow"].strip(),
            cron=values["cron"].strip(),
            timezone=values["timezone"].strip(),
            input={} if given is None else given,
            overlap=OverlapPolicy(values["overlap"]),
            missed=MissedPolicy(values["missed"]),
            missed_max=int(values["missed_max"]),
            environment=Environment(values["environment"]) if values["environment"] else None,
            queue=values["queue"].strip(),
        )

        def made(schedule: Schedule) -> None:
            following = f", next at {zoned_time(schedule.next_at_us[0])}" if schedule.next_at_us else ""
            page.dashboard.notify(safe(f"{schedule.name} is {schedule.status}{following}."), markup=False)
            page.load()

        page.act(
            f"Make the schedule {command.name}",
            lambda: page.client.create_schedule(command),
            made,
            failed=again,
        )

    ask_form(page, "A new schedule", fields, use, send="Make it")


def create_trigger(page: Asking, workflow: str = "") -> None:
    """Ask for a trigger, make it, and show the secret of a webhook."""
    fields = [
        Field("name", "Name", placeholder="orders", required=True),
        Field("workflow", "Workflow", value=workflow, placeholder="What it starts", required=True),
        Field(
            "kind",
            "For",
            value=TriggerKind.WEBHOOK.value,
            kind="choice",
            choices=[each.value for each in TriggerKind],
            help="webhook: a signed message that comes in; after: another workflow has ended.",
            required=True,
        ),
        Field("after_workflow", "After which workflow", help="Only for the kind after."),
        Field(
            "outcome",
            "After which ends",
            kind="choice",
            choices=[each.value for each in EndOutcome],
            help="Only for the kind after; else completed.",
        ),
        Field(
            "inputs",
            "Inputs (optional)",
            kind="lines",
            help='JSON, with {"$from": "body.id"} for what the event holds; else the whole event.',
            check=_check_json,
        ),
        _ENVIRONMENT,
        _QUEUE,
    ]

    def use(values: Values, again: Again) -> None:
        kind = TriggerKind(values["kind"])
        after = values["after_workflow"].strip()
        if (kind is TriggerKind.AFTER) != bool(after):
            raise ValueError("A trigger of the kind after names the workflow that it follows; others do not.")
        command = CreateTrigger(
            name=values["name"].strip(),
            kind=kind,
            workflow=values["workflow"].strip(),
            inputs=_read_json(values["inputs"]),
            after_workflow=after or None,
            outcome=EndOutcome(values["outcome"]) if values["outcome"] and after else None,
            environment=Environment(values["environment"]) if values["environment"] else None,
            queue=values["queue"].strip(),
        )
        page.act(
            f"Make the trigger {command.name}",
            lambda: page.client.create_trigger(command),
            lambda made: show_trigger_secret(page, made),
            failed=again,
        )

    ask_form(page, "A new trigger", fields, use, send="Make it")


def show_trigger_secret(page: Asking, made: NewTrigger) -> None:
    """Show the signing secret of a webhook's trigger, this once."""
    page.load()
    if made.signing_secret is None:
        page.dashboard.notify(safe(f"{made.name} is there."), markup=False)
        return
    note = (
        f"That is the only time that it is shown. {made.name} waits for POST"
        f" {page.client.settings.base_url}{made.path}"
    )
    title = f"The signing secret of {made.name}"
    page.dashboard.push_screen(Reading(title, made.signing_secret, note=note))


def create_webhook(page: Asking) -> None:
    """Ask for a webhook that nodes are pushed to, make it, and show its secret."""
    fields = [
        Field("url", "Where to push", placeholder="https://tools.example.com/omium", required=True),
        Field(
            "handlers",
            "Handlers",
            placeholder="enrich, publish",
            help="As nodes name them in parameters.handler, with commas.",
            required=True,
        ),
        Field("name", "Name (optional)", help="Else its handlers."),
        Field("concurrency", "Tasks at the same time", value=str(CONCURRENCY), check=_WHOLE),
        Field("reply_s", "Seconds to answer", value=str(REPLY_S), check=_WHOLE),
        Field("callback_s", "Seconds to call back, after 202", value=str(CALLBACK_S), check=_WHOLE),
        _ENVIRONMENT,
        _QUEUE,
    ]

    def use(values: Values, again: Again) -> None:
        handlers = [each.strip() for each in values["handlers"].split(",") if each.strip()]
        command = CreateWebhook(
            name=values["name"].strip() or ", ".join(handlers)[:200],
            url=values["url"].strip(),
            handlers=handlers,
            environment=Environment(values["environment"]) if values["environment"] else None,
            queue=values["queue"].strip(),
            concurrency=int(values["concurrency"]),
            reply_s=int(values["reply_s"]),
            callback_s=int(values["callback_s"]),
        )
        page.act(
            f"Make the webhook {command.name}",
            lambda: page.client.create_webhook(command),
            lambda made: show_webhook_secret(page, made),
            failed=again,
        )

    ask_form(page, "A new webhook", fields, use, send="Make it")


def show_webhook_secret(page: Asking, made: NewWebhook) -> None:
    """Show the signing secret of a webhook, this once."""
    page.load()
    note = f"That is the only time that it is shown. Try {made.id}: t tests it."
    title = f"The signing secret of {made.name}"
    page.dashboard.push_screen(Reading(title, made.signing_secret, note=note))
