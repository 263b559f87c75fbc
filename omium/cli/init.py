"""`omium init`: from a fresh machine to a stored profile, with a key that works.

Owns the two ways: a key that somebody gave, or, on the server's own machine, the one-time token from its data
folder, which makes the first tenant and its owner's key. Nothing is stored before the server has accepted it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.options import Yes
from omium.errors import ConfigError, SecretNotRepeatable
from omium.folders import bootstrap_token_file, data_folder
from omium.states import Environment
from omium.words import number

if TYPE_CHECKING:
    from omium.config import Settings
    from omium.models.account import WhoAmI


@for_server
def init(
    common: Common,
    local: Annotated[
        bool,
        typer.Option(
            "--local", help="Create tenant and key with the one-time token of a server on this machine."
        ),
    ] = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="That server's data folder; else OMIUM_DATA_DIR.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Name of the tenant that --local creates.")] = "default",
    environment: Annotated[
        Environment, typer.Option("--environment", help="Environment of the key that --local creates.")
    ] = Environment.DEV,
    yes: Yes = False,
) -> None:
    """Connect this machine to a server. Its key is checked, and kept in a profile.

    \b
    omium init                    asks for a key, or offers to create one on the server's own machine
    omium init --local --yes      creates tenant and key with the one-time token, without asking
    OMIUM_API_KEY=om_… omium init --base-url https://omium.example
    """
    from omium.config import load_settings

    settings = load_settings(base_url=common.base_url, profile=common.profile, new_profile=True)
    token_file = bootstrap_token_file(data or data_folder())
    kept = local and yes and settings.api_key and not os.access(token_file, os.R_OK)
    if kept and settings.api_key:
        api_key = settings.api_key  # a script that runs twice
    elif local or (not settings.api_key and _offers_local(token_file, yes=yes)):
        _refuse_overwrite(settings, yes=yes)
        api_key = _bootstrap(settings, token_file, tenant, environment)
    else:
        api_key = _choose_key(settings, yes=yes)
    _store(common, settings, api_key)
    if kept:
        common.output.say("There is no one-time token any more, so no tenant was created: the key is kept.")


def _offers_local(token_file: Path, *, yes: bool) -> bool:
    if yes or not os.access(token_file, os.R_OK) or not sys.stdin.isatty():
        return False
    question = "A server on this machine has no tenant yet. Create one, with a key, now?"
    return typer.confirm(question, default=True, err=True)


def _refuse_overwrite(settings: Settings, *, yes: bool) -> None:
    if settings.api_key and not yes:
        typer.confirm(
            f"The profile {settings.profile!r} has a key for {settings.base_url} already. Replace it?",
            abort=True,
            err=True,
        )


def _choose_key(settings: Settings, *, yes: bool) -> str:
    stored = settings.api_key
    if stored and (yes or not sys.stdin.isatty()):
        return stored
    if not sys.stdin.isatty():
        piped = sys.stdin.readline().strip()
        if piped:
            return piped
        raise ConfigError(
            "There is no API key. Set OMIUM_API_KEY, pipe one into `omium init`, or use `omium init --local` "
            "on the server's own machine."
        )
    prompt = "Paste your Omium API key" + (" (enter keeps the present one)" if stored else "")
    return str(
        typer.prompt(prompt, default=stored or None, show_default=False, hide_input=True, err=True)
    ).strip()


def _bootstrap(settings: Settings, token_file: Path, tenant: str, environment: Environment) -> str:
    from omium.models.account import Bootstrap
    from omium.sdk.sync_client import Client

    try:
        token = token_file.read_text().strip()
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no one-time token in {token_file.parent}. It exists on the server's machine, until "
            "the first tenant is created. Start the server (`omium serve`), name its folder with --data, or "
            "paste an API key into `omium init`."
        ) from error
    except PermissionError as error:
        raise ConfigError(
            f"{token_file} can be read only by the user that runs the server; run `omium init` as that user."
        ) from error
    with Client(settings=settings) as client:  # its key, if any, is not what this asks for
        try:
            command = Bootstrap(token=token, tenant=tenant, environment=environment)
            return client.bootstrap_server(command).api_key
        except SecretNotRepeatable as error:
            raise ConfigError(
                "The tenant was created, but the answer with its key was lost, and a key is shown once. "
                "Make another on the server's machine: omium db new-key"
            ) from error


def _store(common: Common, settings: Settings, api_key: str) -> None:
    from omium.apikeys import split_api_key
    from omium.config import keep_credential, load_settings, require_environment
    from omium.sdk.sync_client import Client

    if split_api_key(api_key) is None:  # found without asking the server
        raise ConfigError(
            "That is not an Omium API key, or it was not copied whole: they look like om_dev_…."
        )
    asked = load_settings(
        base_url=settings.base_url, api_key=api_key, profile=settings.profile, new_profile=True
    )
    require_environment(asked)
    with Client(settings=asked) as client:
        who = client.get_whoami()
    where = keep_credential(
        settings,
        api_key,
        {
            "api_key_id": who.api_key_id or "",
            "tenant": who.tenant,
            "tenant_id": who.tenant_id,
            "environment": who.environment.value,
        },
    )
    _show(common, settings, who, api_key, where)


def _show(common: Common, settings: Settings, who: WhoAmI, api_key: str, where: str) -> None:
    output = common.output
    if output.as_json:
        output.json(
            {
                "tenant": who.tenant,
                "tenant_id": who.tenant_id,
                "api_key": api_key,
                "api_key_id": who.api_key_id,
                "environment": who.environment.value,
                "credits": who.credits,
                "base_url": settings.base_url,
            }
        )
        return
    output.facts(
        [
            ("Server", settings.base_url),
            ("Tenant", who.tenant),
            ("Environment", who.environment.value),
            ("Key", f"{who.key_name} ({who.api_key_id})"),
            ("Credits", "not metered on this server" if who.credits is None else number(who.credits)),
            ("Profile", f"{settings.profile}, its key in {where}"),
        ]
    )
    output.say(
        "Ready. Next: put @omium.workflow and @omium.step on your functions, run them, see `omium status`."
    )
