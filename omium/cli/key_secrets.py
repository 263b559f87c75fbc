"""`omium keys rotate|revoke|token`: other secrets for a key, tokens made from it, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from omium.cli.context import Common, for_server
from omium.cli.ids import KeyId, find_key_id
from omium.cli.keys import plain, say_where_it_goes
from omium.cli.options import Yes
from omium.states import Scope
from omium.words import ago, iso_time, now_us

if TYPE_CHECKING:
    from omium.config import Settings

_GRACE_S = {"none": 0, "15m": 900, "1h": 3_600, "24h": 86_400}


@for_server
def rotate_key(
    common: Common,
    key_id: KeyId,
    grace: Annotated[
        Literal["none", "15m", "1h", "24h"],
        typer.Option("--grace", help="How long the old secret stays good beside the new one."),
    ] = "none",
    yes: Yes = False,
) -> None:
    """Give a key a new secret, shown this once. Its name, caps, usage and executions go on.

    \b
    omium keys rotate ci --grace 1h      while the new secret is being put everywhere
    omium keys rotate ci --yes           at once, because the old secret has leaked
    """
    from omium.models.keys import RotateKey

    with common.client() as client:
        wanted = find_key_id(client, key_id)
        end = "ends at once" if grace == "none" else f"stays good for {grace}"
        common.output.confirm(f"Give {wanted} a new secret? The old one {end}.", yes=yes)
        made = client.rotate_key(wanted, RotateKey.model_validate({"grace_s": _GRACE_S[grace]}))
        where = _keep_own(client.settings, made.api_key_id, made.api_key)
    if common.output.as_json:
        common.output.json(made)
        return
    common.output.show(made.api_key)
    if where is not None:
        common.output.say(f"It is the key of profile {client.settings.profile}: kept there, in {where}.")
    say_where_it_goes(common, made.api_key_id, made.name)
    if grace != "none":
        common.output.say(f"The old secret ends {ago(made.old_secret_ends_at_us, now_us())}.")


@for_server
def revoke_key(
    common: Common,
    key_id: KeyId,
    keep_running: Annotated[
        bool, typer.Option("--keep-running", help="Do not pause what it has started.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Revoke a key, at once and for good; what it started is paused. It stays in the list.

    \b
    omium keys revoke ci
    omium keys revoke ak_01mcc5rm00ngqz8ctbd9ygs3xh --keep-running --yes
    """
    with common.client() as client:
        wanted = find_key_id(client, key_id)
        then = "goes on" if keep_running else "is paused"
        common.output.confirm(
            f"Revoke {wanted}? It cannot be taken back; what it has started {then}.", yes=yes
        )
        key = client.revoke_key(wanted, keep_running=keep_running)
    if common.output.as_json:
        common.output.json(plain(key))
    else:
        common.output.say(f"{key.id} ({key.name}) is {key.status.value}.")


@for_server
def exchange_key(
    common: Common,
    scopes: Annotated[
        list[Scope] | None, typer.Option("--scope", help="Only these of the key's; repeatable.")
    ] = None,
    ttl_s: Annotated[int, typer.Option("--ttl-s", min=1, max=900, help="How long it is good.")] = 900,
) -> None:
    """Exchange the key in use for a token. It ends by itself and manages nothing.

    \b
    omium keys token --scope run --ttl-s 300
    OMIUM_API_KEY=$(omium keys token) ./job.sh
    """
    from omium.models.keys import ExchangeKey

    with common.client() as client:
        made = client.exchange_key(ExchangeKey(scopes=scopes, ttl_s=ttl_s))
    if common.output.as_json:
        common.output.json(made.model_dump(mode="json") | {"expires_at": iso_time(made.expires_at_us)})
        return
    common.output.show(made.token)
    may = " ".join(scope.value for scope in made.scopes) or "nothing"
    common.output.say(f"It ends {ago(made.expires_at_us, now_us())} and may: {may}.")


def _keep_own(settings: Settings, key_id: str, secret: str) -> str | None:
    """Store the new secret if it is that of the profile in use, which could do nothing without it."""
    from omium.config import read_config, store_credential

    stored = read_config(settings.folder).profiles.get(settings.profile, {})
    from_profile = settings.sources.get("api_key", "").startswith("profile ")
    if not from_profile or stored.get("api_key_id") != key_id:
        return None
    return store_credential(settings.profile, secret, stored, folder=settings.folder, activate=False)
