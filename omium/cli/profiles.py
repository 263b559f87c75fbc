"""`omium profiles list|use|remove`: the servers that this machine knows, each with its key."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from omium.cli.context import Common, for_this_machine
from omium.cli.options import Yes
from omium.cli.table import Column
from omium.errors import ConfigError

app = typer.Typer(
    help="Choose between servers: profiles of this machine.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A profile; `omium profiles list` shows them.")]


@app.command("list")
@for_this_machine
def list_profiles(common: Common) -> None:
    """List the profiles. Keys are not shown, and no server is asked.

    \b
    omium profiles list
    omium profiles list --json
    """
    from omium.config import DEFAULT_BASE_URL, config_folder, read_config

    file = read_config(config_folder())
    chosen = os.environ.get("OMIUM_PROFILE") or file.active
    rows = [
        {
            "name": name,
            "active": name == chosen,
            "base_url": values.get("base_url", DEFAULT_BASE_URL),
            "tenant": values.get("tenant"),
            "environment": values.get("environment"),
            "api_key_id": values.get("api_key_id"),
            "credential": _where(values),
        }
        for name, values in sorted(file.profiles.items())
    ]
    if common.output.as_json:
        common.output.json(rows)
        return
    common.output.table(
        [
            Column("", lambda row: "*" if row["active"] else ""),
            Column("PROFILE", lambda row: row["name"], give="cut"),
            Column("SERVER", lambda row: str(row["base_url"]), give="cut"),
            Column("TENANT", lambda row: str(row["tenant"] or "-"), give="cut", spare=2),
            Column("FOR", lambda row: str(row["environment"] or "-"), spare=1),
            Column("KEY", lambda row: f"{row['api_key_id'] or '-'}", give="cut", spare=3),
            Column("KEPT IN", lambda row: row["credential"] or "-"),
        ],
        rows,
        empty=f"There is no profile in {file.path}. Create one: omium init",
    )


@app.command("use")
@for_this_machine
def use_profile(common: Common, name: Name) -> None:
    """Make a profile the one that counts where none is named.

    \b
    omium profiles use production
    """
    from omium import config

    path = config.use_profile(config.config_folder(), name)
    if common.output.as_json:
        common.output.json({"profile": name})
    else:
        common.output.say(f"{name} is the profile that counts now, in {path}.")
    if os.environ.get("OMIUM_PROFILE", name) != name:
        common.output.warn(f"OMIUM_PROFILE names {os.environ['OMIUM_PROFILE']}, which goes before it here.")


@app.command("remove")
@for_this_machine
def remove_profile(common: Common, name: Name, yes: Yes = False) -> None:
    """Remove a profile and its stored key from this machine. The key itself stays valid.

    \b
    omium profiles remove old-server
    """
    from omium.config import config_folder, forget_profile, read_config

    file = read_config(config_folder())
    if name not in file.profiles:
        raise ConfigError(f"There is no profile {name!r} in {file.path}. See: omium profiles list")
    key_id = file.profiles[name].get("api_key_id")
    common.output.confirm(f"Remove the profile {name} and its key from this machine?", yes=yes)
    forget_profile(name, folder=config_folder())
    if common.output.as_json:
        common.output.json({"profile": name, "api_key_id": key_id})
        return
    common.output.say(f"Removed {name}.")
    if key_id:
        common.output.say(f"Its key is valid still; to end it: omium keys revoke {key_id}")


def _where(values: object) -> str | None:
    stored = values if isinstance(values, dict) else {}
    if "credential" in stored:
        return str(stored["credential"])
    return "file" if "api_key" in stored else None
