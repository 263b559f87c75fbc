"""`omium keys list|create|revoke`: API keys."""

from __future__ import annotations

from typing import Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.ids import KeyId, find_key_id
from omium.cli.options import Yes
from omium.cli.table import Column
from omium.cli.words import ago, iso_time, now_us, state
from omium.states import Environment, Scope

app = typer.Typer(help="Manage API keys: list, create, revoke.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
@for_server
def list_keys(common: Common) -> None:
    """List the tenant's keys; secrets are never shown again.

    \b
    omium keys list
    """
    with common.client() as client:
        keys = list(client.each(client.list_keys, limit=200))
    if common.output.as_json:
        common.output.json(
            [key.model_dump(mode="json") | {"last_used_at": iso_time(key.last_used_at_us)} for key in keys]
        )
        return
    at_us = now_us()
    common.output.table(
        [
            Column("KEY", lambda k: k.id, give="id"),
            Column("NAME", lambda k: k.name, give="cut"),
            Column("STATUS", lambda k: state(k.status)),
            Column("FOR", lambda k: k.environment.value),
            Column("MAY", lambda k: " ".join(scope.value for scope in k.scopes), give="cut", width_min=12),
            Column("WORKFLOWS", lambda k: ", ".join(k.workflows or []), give="cut", spare=3),
            Column("LAST USED", lambda k: ago(k.last_used_at_us, at_us), spare=1),
            Column("EXPIRES", lambda k: ago(k.expires_at_us, at_us), spare=2),
        ],
        keys,
        empty="No keys. Create one: omium keys create --name NAME",
    )


@app.command("create")
@for_server
def create_key(
    common: Common,
    name: Annotated[str, typer.Option("--name", help="What it is for.")],
    environment: Annotated[
        Environment, typer.Option("--environment", help="Where its executions belong.")
    ] = Environment.DEV,
    scopes: Annotated[
        list[Scope] | None,
        typer.Option("--scope", help="What it may do; repeatable. [default: the usual ones]"),
    ] = None,
    workflows: Annotated[
        list[str] | None, typer.Option("--workflow", help="A worker with it serves only these; repeatable.")
    ] = None,
) -> None:
    """Create a key; its secret is shown this once.

    \b
    omium keys create --name ci --environment staging
    omium keys create --name workers --environment prod --scope worker --workflow report
    """
    from omium.models.account import CreateKey

    command = CreateKey(name=name, environment=environment, scopes=scopes, workflows=workflows)
    with common.client() as client:
        made = client.create_key(command)
    if common.output.as_json:
        common.output.json(made)
        return
    common.output.show(made.api_key)
    common.output.say(f"That is the only time that {made.api_key_id} is shown whole. Use it: omium init")


@app.command("revoke")
@for_server
def revoke_key(common: Common, key_id: KeyId, yes: Yes = False) -> None:
    """Revoke a key, at once; what it started is paused.

    \b
    omium keys revoke ak_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    with common.client() as client:
        wanted = find_key_id(client, key_id)
        common.output.confirm(f"Revoke {wanted}? It cannot be taken back.", yes=yes)
        key = client.revoke_key(wanted)
    if common.output.as_json:
        common.output.json(key)
    else:
        common.output.say(f"{key.id} ({key.name}) is {key.status}.")
