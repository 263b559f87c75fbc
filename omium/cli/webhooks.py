"""`omium webhooks create|list|rotate|delete|test`: targets that nodes' tasks are pushed to."""

from __future__ import annotations

from typing import Annotated

import typer

from omium.cli.cells import state
from omium.cli.context import Common, for_server
from omium.cli.ending import FAILED
from omium.cli.options import Yes
from omium.cli.table import Column
from omium.safetext import safe_text
from omium.states import Environment

app = typer.Typer(help="Push nodes to your own services.", no_args_is_help=True, rich_markup_mode=None)

WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id: omium webhooks list.")]


@app.command("create")
@for_server
def create(
    common: Common,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to push: an https address.")],
    handlers: Annotated[
        list[str], typer.Option("--handler", metavar="NAME", help="A handler that it does; repeatable.")
    ],
    name: Annotated[str | None, typer.Option("--name", help="What it is. [default: its handlers]")] = None,
    environment: Annotated[
        Environment | None, typer.Option("--environment", help="Of what. [default: the key's]")
    ] = None,
    queue: Annotated[str, typer.Option("--queue", help="Of which queue.")] = "default",
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=100, help="Tasks at the same time.")
    ] = 8,
    reply_s: Annotated[
        int, typer.Option("--reply-within", metavar="SECONDS", min=1, max=120, help="Time to answer.")
    ] = 30,
    callback_s: Annotated[
        int,
        typer.Option("--call-back-within", metavar="SECONDS", min=1, help="Time to call back, after 202."),
    ] = 3_600,
) -> None:
    """Push the nodes that call a handler to a service of yours. The signing secret is shown this once.

    \b
    omium webhooks create https://tools.example.com/omium --handler enrich
    omium webhooks create https://tools.example.com/omium --handler enrich --concurrency 2
    """
    from omium.models.webhook import CreateWebhook

    command = CreateWebhook(
        name=name or ", ".join(handlers)[:200],
        url=url,
        handlers=handlers,
        environment=environment,
        queue=queue,
        concurrency=concurrency,
        reply_s=reply_s,
        callback_s=callback_s,
    )
    with common.client() as client:
        made = client.create_webhook(command)
    if common.output.as_json:
        common.output.json(made)
        return
    common.output.show(made.signing_secret)
    common.output.say(f"That is the only time that the signing secret of {made.id} is shown.")
    common.output.say(f"{made.id} is there. Try it: omium webhooks test {made.id}")


@app.command("list")
@for_server
def list_webhooks(common: Common) -> None:
    """List the webhooks that nodes are pushed to.

    \b
    omium webhooks list
    """
    with common.client() as client:
        found = list(client.each(client.list_webhooks, limit=200))
    if common.output.as_json:
        common.output.json(found)
        return
    common.output.table(
        [
            Column("WEBHOOK", lambda w: w.id),
            Column("NAME", lambda w: w.name, give="cut"),
            Column("STATUS", lambda w: state(w.status, w.note)),
            Column("DOES", lambda w: ", ".join(w.handlers), give="cut", width_min=12),
            Column("TO", lambda w: w.destination, give="cut", width_min=12),
            Column("FOR", lambda w: w.environment.value, spare=2),
            Column("QUEUE", lambda w: w.queue, give="cut", spare=3),
            Column("NOW", lambda w: f"{w.open}/{w.concurrency}", align="right", spare=1),
        ],
        found,
        empty="No webhooks. Create one: omium webhooks create https://… --handler NAME",
    )


@app.command("rotate")
@for_server
def rotate(common: Common, webhook_id: WebhookId) -> None:
    """Give a webhook a new signing secret. The former one signs along for a day.

    \b
    omium webhooks rotate wh_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    with common.client() as client:
        made = client.rotate_webhook(webhook_id)
    if common.output.as_json:
        common.output.json(made)
        return
    common.output.show(made.signing_secret)
    common.output.say(f"That is the only time that the new signing secret of {made.id} is shown.")


@app.command("delete")
@for_server
def delete(common: Common, webhook_id: WebhookId, yes: Yes = False) -> None:
    """Delete a webhook. What it was doing is done again by others.

    \b
    omium webhooks delete wh_01mcc5rm00ngqz8ctbd9ygs3xh --yes
    """
    common.output.confirm(f"Delete {webhook_id}?", yes=yes)
    with common.client() as client:
        client.delete_webhook(webhook_id)
    if common.output.as_json:
        common.output.json({"deleted": webhook_id})
    else:
        common.output.say(f"{webhook_id} is deleted.")


@app.command("test")
@for_server
def test(common: Common, webhook_id: WebhookId) -> None:
    """Send a webhook a message that asks for nothing. One that was disabled is enabled if it answers.

    \b
    omium webhooks test wh_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    with common.client() as client:
        tested = client.test_webhook(webhook_id)
    if common.output.as_json:
        common.output.json(tested)
    elif tested.ok:
        common.output.say(f"{tested.detail} It took {tested.elapsed_ms} ms.")
    else:
        typer.echo(safe_text(f"omium: {tested.detail}"), err=True)
    if not tested.ok:
        raise typer.Exit(FAILED)


test.__test__ = False  # type: ignore[attr-defined]  # pytest takes the name for its own
