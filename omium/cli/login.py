"""`omium signup|login|logout|passwd|delete-account`: people, and the session that a profile keeps."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.inputs import read_file
from omium.cli.options import Yes
from omium.cli.people import (
    SESSION_PREFIX,
    PasswordFile,
    UserOption,
    read_password,
    read_user,
    refuse_overwrite,
    store_session,
)
from omium.errors import ConfigError, ConnectionLost, Problem
from omium.folders import bootstrap_token_file, data_folder
from omium.states import Environment

if TYPE_CHECKING:
    from omium.config import Settings
    from omium.sdk.sync_client import Client

InvitationFile = Annotated[
    Path | None,
    typer.Option("--invitation-file", help="A file with the secret of an invitation; - is standard input."),
]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Name or id; else where you were last.")]
EnvironmentOption = Annotated[
    Environment, typer.Option("--environment", help="Where what you start belongs.")
]


@for_server
def login(
    common: Common,
    user: UserOption = None,
    tenant: Tenant = None,
    environment: EnvironmentOption = Environment.DEV,
    password_file: PasswordFile = None,
    invitation_file: InvitationFile = None,
    yes: Yes = False,
) -> None:
    """Log in, and keep the session in the profile. The password is asked for, or comes from a pipe.

    \b
    omium login --user ada@example.org
    omium login --user ada --tenant acme --environment prod --profile acme
    """
    from omium.models.people import LogIn

    settings = _settings(common)
    refuse_overwrite(common, settings, yes=yes)
    name = read_user(user)
    invitation = None if invitation_file is None else read_password(invitation_file)
    command = LogIn(
        user=name,
        password=read_password(password_file),
        tenant=tenant,
        invitation=invitation,
        environment=environment,
    )
    with _client(settings) as client:
        session = client.log_in(command)
    store_session(common, settings, session)


@for_server
def signup(
    common: Common,
    user: UserOption = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Name of the tenant that is created with you.")
    ] = None,
    environment: EnvironmentOption = Environment.DEV,
    password_file: PasswordFile = None,
    invitation_file: InvitationFile = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder of a fresh server on this machine.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Become a user. The first one of a fresh server, on its machine; or with an invitation.

    \b
    omium signup --user ada --tenant acme
    omium signup --user bob --invitation-file invitation.txt
    """
    from omium.models.people import SignUp

    settings = _settings(common)
    refuse_overwrite(common, settings, yes=yes)
    name = read_user(user)
    invitation = None if invitation_file is None else read_password(invitation_file)
    token = None if invitation is not None else _read_token(data)
    command = SignUp(
        user=name,
        password=read_password(password_file, question="Password, at least 12 characters", twice=True),
        token=token,
        invitation=invitation,
        tenant=tenant,
        environment=environment,
    )
    with _client(settings) as client:
        session = client.sign_up(command)
    store_session(common, settings, session)
    common.output.say("Next: an API key for your agents: omium keys create --name NAME")


@for_server
def logout(common: Common, yes: Yes = False) -> None:
    """Forget what a profile holds. A session ends at once; an API key stays valid until it is revoked.

    \b
    omium logout
    omium logout --profile prod --yes
    """
    from omium.config import config_folder, forget_credential, load_settings, read_config

    stored = read_config(config_folder())
    name = common.profile or os.environ.get("OMIUM_PROFILE") or stored.active
    values = dict(stored.profiles.get(name, {}))
    if "api_key" not in values and "credential" not in values:
        raise ConfigError(f"The profile {name!r} in {stored.path} holds no key; nothing is forgotten.")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("OMIUM_API_KEY")}
    settings = load_settings(profile=name, base_url=common.base_url, environ=environ)
    is_session = (settings.api_key or "").startswith(SESSION_PREFIX)
    common.output.confirm(f"Forget the {'session' if is_session else 'key'} of profile {name}?", yes=yes)
    ended = is_session and _end_session(common, settings)
    forget_credential(name, folder=config_folder())
    key_id = values.get("api_key_id")
    if common.output.as_json:
        common.output.json({"profile": name, "api_key_id": key_id, "session_ended": ended})
    elif is_session:
        common.output.say("Logged out." if ended else "Forgot it. The session ends by itself, unused.")
    else:
        common.output.say(f"Forgot it. The key is valid still; to end it: omium keys revoke {key_id or 'ID'}")


@for_server
def passwd(common: Common, password_file: PasswordFile = None) -> None:
    """Set another password. All your sessions end, and this profile gets a new one.

    Through a pipe or a file: the present password on the first line, the new one on the second.

    \b
    omium passwd
    """
    from omium.models.people import ChangePassword

    if password_file is None and sys.stdin.isatty():
        present = read_password(None, question="Present password")
        new = read_password(None, question="New password, at least 12 characters", twice=True)
    else:
        present, new = _two_lines(password_file)
    with common.client() as client:
        session = client.change_password(ChangePassword(password=present, new_password=new))
        settings = client.settings
    store_session(common, settings, session)


@for_server
def delete_account(common: Common, password_file: PasswordFile = None, yes: Yes = False) -> None:
    """Delete your account on this server. What you made stays with its tenants.

    The password is asked for once more. The last owner of a tenant hands it over first, or deletes it.

    \b
    omium delete-account
    """
    from omium.config import forget_credential, load_credential, read_config
    from omium.models.people import DeleteAccount

    with common.client() as client:
        who = client.get_whoami()
        if who.user is None:
            raise WrongUse("This profile holds an API key, not a person's session. Log in first: omium login")
        common.output.confirm(f"Delete the account {who.user} for good?", yes=yes)
        client.delete_account(DeleteAccount(password=read_password(password_file)))
        settings = client.settings
    stored = read_config(settings.folder).profiles.get(settings.profile, {})
    if load_credential(settings.profile, stored, folder=settings.folder) == settings.api_key:
        forget_credential(settings.profile, folder=settings.folder)  # else it came from the environment
    if common.output.as_json:
        common.output.json({"user": who.user})
    else:
        common.output.say(f"{who.user} is deleted, and all sessions have ended.")


def _settings(common: Common) -> Settings:
    from omium.config import load_settings

    return load_settings(base_url=common.base_url, profile=common.profile, new_profile=True)


def _client(settings: Settings) -> Client:
    """Return a client without a key: whoever logs in has none yet."""
    from dataclasses import replace

    from omium.sdk.sync_client import Client

    return Client(settings=replace(settings, api_key=None))


def _read_token(data: Path | None) -> str | None:
    """Return the one-time token of a fresh server on this machine, if it can be read."""
    try:
        return bootstrap_token_file(data or data_folder()).read_text().strip() or None
    except OSError:
        return None


def _end_session(common: Common, settings: Settings) -> bool:
    from omium.sdk.sync_client import Client

    try:
        with Client(settings=settings) as client:
            client.log_out()
    except (ConnectionLost, Problem) as error:  # it is forgotten here in any case
        common.output.warn(f"The server could not end the session: {error}")
        return False
    return True


def _two_lines(file: Path | None) -> tuple[str, str]:
    text = sys.stdin.read() if file is None or str(file) == "-" else read_file(file)
    lines = text.splitlines()
    if len(lines) < 2:
        raise ConfigError("Give the present password on the first line, the new one on the second.")
    return lines[0], lines[1]
