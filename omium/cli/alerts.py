"""`omium alerts list|add|test|rotate|remove|deliveries|retry`: who is told what."""

from __future__ import annotations

from typing import Annotated

import typer

from omium.cli.cells import state
from omium.cli.context import Common, for_server
from omium.cli.options import Yes
from omium.cli.table import Column
from omium.states import AlertChannel, AlertKind, DeliveryStatus, Environment
from omium.words import ago, now_us, span

app = typer.Typer(help="Say who is told what happens.", no_args_is_help=True, rich_markup_mode=None)

RuleId = Annotated[str, typer.Argument(metavar="RULE", help="The rule's id: omium alerts list.")]


@app.command("list")
@for_server
def list_rules(common: Common) -> None:
    """List the alert rules.

    \b
    omium alerts list
    """
    with common.client() as client:
        rules = list(client.each(client.list_alert_rules, limit=200))
    if common.output.as_json:
        common.output.json(rules)
        return
    common.output.table(
        [
            Column("RULE", lambda r: r.id),
            Column("NAME", lambda r: r.name, give="cut"),
            Column("STATUS", lambda r: state(r.status, r.note)),
            Column("BY", lambda r: r.channel.value),
            Column("TO", lambda r: r.destination, give="cut", width_min=12),
            Column("OF", lambda r: " ".join(kind.value for kind in r.kinds), give="cut", spare=2),
            Column("WORKFLOW", lambda r: r.workflow or "all", give="cut", spare=3),
            Column("FOR", lambda r: r.environment.value if r.environment else "all", spare=3),
            Column("QUIET", lambda r: span(r.quiet_s * 1_000_000), spare=1),
        ],
        rules,
        empty="No alert rules. Add one: omium alerts add --name NAME --webhook https://…",
    )


@app.command("add")
@for_server
def add_rule(
    common: Common,
    name: Annotated[str, typer.Option("--name", help="What it is for.")],
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Send signed JSON there.")
    ] = None,
    email: Annotated[
        str | None, typer.Option("--email", metavar="ADDRESS", help="Write there; commas between several.")
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--command", metavar="NAME", help="Run this command of the server's operator."),
    ] = None,
    kinds: Annotated[
        list[AlertKind] | None, typer.Option("--of", help="Of what; repeatable. [default: everything]")
    ] = None,
    workflow: Annotated[str | None, typer.Option("--workflow", help="Only of this workflow.")] = None,
    environment: Annotated[
        Environment | None, typer.Option("--environment", help="Only of this environment.")
    ] = None,
    quiet_s: Annotated[
        int,
        typer.Option("--every", metavar="SECONDS", min=0, help="At most one message of a kind in this time."),
    ] = 900,
) -> None:
    """Add an alert rule. A webhook's signing secret is shown this once.

    \b
    omium alerts add --name on-call --webhook https://hooks.example.com/omium --of failure.opened
    omium alerts add --name money --email team@example.com --of credits.low --of key.soft-cap
    """
    from omium.cli.ending import WrongUse
    from omium.models.alert import AddAlertRule

    chosen = [
        (channel, destination)
        for channel, destination in (
            (AlertChannel.WEBHOOK, webhook),
            (AlertChannel.EMAIL, email),
            (AlertChannel.COMMAND, command),
        )
        if destination is not None
    ]
    if len(chosen) != 1:
        raise WrongUse("Name one destination: --webhook, --email or --command.")
    ((channel, destination),) = chosen
    rule = AddAlertRule(
        name=name,
        channel=channel,
        destination=destination,
        kinds=kinds or None,
        workflow=workflow,
        environment=environment,
        quiet_s=quiet_s,
    )
    with common.client() as client:
        made = client.add_alert_rule(rule)
    if common.output.as_json:
        common.output.json(made)
        return
    if made.signing_secret is not None:
        common.output.show(made.signing_secret)
        common.output.say(f"That is the only time that the signing secret of {made.id} is shown.")
    common.output.say(f"{made.id} is there. Try it: omium alerts test {made.id}")


@app.command("test")
@for_server
def test_rule(common: Common, rule_id: RuleId) -> None:
    """Send a message that tells nothing, now.

    \b
    omium alerts test ar_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    with common.client() as client:
        delivery = client.test_alert_rule(rule_id)
    if common.output.as_json:
        common.output.json(delivery)
    else:
        common.output.say(f"{delivery.id} is on its way. Look: omium alerts deliveries --rule {rule_id}")


test_rule.__test__ = False  # type: ignore[attr-defined]  # pytest takes the name for its own


@app.command("rotate")
@for_server
def rotate_rule(common: Common, rule_id: RuleId) -> None:
    """Give a webhook a new signing secret. The former one signs along for a day.

    \b
    omium alerts rotate ar_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    with common.client() as client:
        made = client.rotate_alert_rule(rule_id)
    if common.output.as_json:
        common.output.json(made)
        return
    common.output.show(made.signing_secret or "")
    common.output.say(f"That is the only time that the new signing secret of {made.id} is shown.")


@app.command("remove")
@for_server
def remove_rule(common: Common, rule_id: RuleId, yes: Yes = False) -> None:
    """Remove an alert rule and its messages.

    \b
    omium alerts remove ar_01mcc5rm00ngqz8ctbd9ygs3xh --yes
    """
    common.output.confirm(f"Remove {rule_id} and its messages?", yes=yes)
    with common.client() as client:
        client.remove_alert_rule(rule_id)
    if common.output.as_json:
        common.output.json({"removed": rule_id})
    else:
        common.output.say(f"{rule_id} is removed.")


@app.command("deliveries")
@for_server
def list_deliveries(
    common: Common,
    rule: Annotated[str | None, typer.Option("--rule", help="Only of this rule.")] = None,
    status: Annotated[DeliveryStatus | None, typer.Option("--status", help="Only these.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many.")] = 50,
) -> None:
    """List the messages of alert rules, newest first. Dead ones were given up.

    \b
    omium alerts deliveries --status dead
    """
    with common.client() as client:
        found = client.list_alert_deliveries(rule=rule, status=status, limit=limit).items
    if common.output.as_json:
        common.output.json(found)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("MESSAGE", lambda d: d.id),
            Column("OF", lambda d: d.kind.value),
            Column("STATUS", lambda d: state(d.status.value)),
            Column("FACTS", lambda d: str(d.facts), align="right"),
            Column("TRIES", lambda d: str(d.attempts), align="right"),
            Column("WHEN", lambda d: ago(d.created_at_us, at_us)),
            Column("WHY", lambda d: d.error, give="cut", width_min=12),
        ],
        found,
        empty="No messages yet. Try a rule: omium alerts test RULE",
    )


@app.command("retry")
@for_server
def retry_delivery(
    common: Common, delivery_id: Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id.")]
) -> None:
    """Send a message again that was given up.

    \b
    omium alerts retry dl_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    with common.client() as client:
        delivery = client.retry_alert_delivery(delivery_id)
    if common.output.as_json:
        common.output.json(delivery)
    else:
        common.output.say(f"{delivery.id} is {delivery.status.value}.")
