"""The first screen where nobody is logged in: which server, and as whom.

Four ways: log in, sign up, paste an API key, or begin on a fresh server of this machine. Nothing is kept
before the server has accepted it. In the browser version the server is given, and nothing is kept at all: the
profile would be that of the machine on which the dashboard runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Final, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static

from omium.apikeys import split_api_key
from omium.config import Settings, keep_credential, load_settings
from omium.errors import ConfigError, ConnectionLost, OmiumError
from omium.folders import bootstrap_token_file, data_folder
from omium.models.people import LogIn, NewSession, SignUp
from omium.sdk.async_client import AsyncClient
from omium.states import Environment
from omium.tui.app import DashboardApp
from omium.tui.content import safe
from omium.tui.dialogs import TABS
from omium.tui.frame import run_beside

LOGIN, SIGNUP, KEY, BEGIN = "Log in", "Sign up by invitation", "Paste an API key", "Begin on a fresh server"
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    LOGIN: ("user", "password", "tenant"),
    SIGNUP: ("user", "password", "again", "invitation"),
    KEY: ("key",),
    BEGIN: ("user", "password", "again", "tenant"),
}
LABELS: Final[Mapping[str, str]] = {
    "user": "User name or e-mail",
    "password": "Password",
    "again": "Password again",
    "tenant": "Tenant",
    "invitation": "Invitation",
    "key": "API key",
}
SECRET: Final = frozenset({"password", "again", "invitation", "key"})
PASSWORD_LENGTH_MIN: Final = 12


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a server accepted: the secret, and what the profile says about it."""

    settings: Settings
    secret: str
    about: Mapping[str, str]


class ConnectScreen(ModalScreen[None]):
    """Ask for a server, and who you are there; `sentence` says why it is asked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "send", "go on"),
        Binding("ctrl+q", "leave", "quit"),
        Binding("escape", "stay", show=False),
        *TABS,
    ]
    # On a low screen the fields scroll, not the buttons, however long the sentences above and below them are.
    CSS: ClassVar[str] = """
    ConnectScreen .dialog.connect { height: 90%; max-height: 33; }
    ConnectScreen .connect .form-fields { height: 1fr; max-height: 100%; min-height: 3; }
    """

    class Ended(Message):
        """The server answered: with something to keep, or with an error."""

        def __init__(self, outcome: Accepted | OmiumError) -> None:
            super().__init__()
            self.outcome = outcome

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self._sentence = sentence

    def compose(self) -> ComposeResult:
        ways = [LOGIN, KEY, SIGNUP, *([BEGIN] if self._token() else [])]
        chosen = BEGIN if self._token() else LOGIN
        with Vertical(classes="dialog connect"):
            yield Label("Omium: which server, and as whom?", classes="dialog-title")
            if self._sentence:
                yield Static(safe(self._sentence), classes="form-wrong", markup=False)
            with VerticalScroll(classes="form-fields"):
                yield Label("Server", classes="form-label")
                yield Input(self._address(), id="server", disabled=self._dashboard.in_browser, compact=True)
                yield Label("How", classes="form-label")
                yield Select(
                    [(way, way) for way in ways], value=chosen, allow_blank=False, id="way", compact=True
                )
                for name, label in LABELS.items():
                    yield Label(label, classes="form-label", id=f"label-{name}")
                    yield Input(id=name, password=name in SECRET, compact=True)
                yield Label("Environment", classes="form-label", id="label-environment")
                environments = [(each.value, each.value) for each in Environment]
                yield Select(environments, value="dev", allow_blank=False, id="environment", compact=True)
            yield Static("", id="outcome", classes="form-wrong", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button("Go on (ctrl+s)", variant="primary", id="send", compact=True)
                yield Button("Quit (ctrl+q)", id="quit", compact=True)

    def on_mount(self) -> None:
        self._show_fields()
        self.query_one(f"#{FIELDS[self._way][0]}").focus()

    @on(Select.Changed, "#way")
    def _way_changed(self) -> None:
        self._show_fields()
        self.query_one(f"#{FIELDS[self._way][0]}").focus()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        if event.input.id == FIELDS[self._way][-1]:
            self.action_send()
        else:
            self.focus_next()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "send":
            self.action_send()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Quit."""
        self.app.exit()

    def action_stay(self) -> None:
        """There is nowhere to go back to; esc never quits."""

    def action_send(self) -> None:
        """Ask the server."""
        wrong = self._find_wrong()
        self._say(wrong or "Asking the server …")
        if not wrong:
            work = partial(self._ask, self._way, self._values())
            run_beside(self, work, group="connect", exclusive=True)

    async def _ask(self, way: str, values: Mapping[str, str]) -> None:
        try:
            settings = self._settings(values["server"])
            outcome: Accepted | OmiumError = await _be_accepted(settings, way, values, self._token())
        except OmiumError as error:
            outcome = error
        self.post_message(self.Ended(outcome))

    @on(Ended)
    async def _go_on(self, message: Ended) -> None:
        message.stop()
        outcome = message.outcome
        if isinstance(outcome, OmiumError):
            more = " Start one with `omium serve`." if isinstance(outcome, ConnectionLost) else ""
            self._say(f"{outcome}{more}")
            return
        if not self._dashboard.in_browser:
            where = keep_credential(outcome.settings, outcome.secret, outcome.about)
            self.app.notify(f"Kept in {where}.", markup=False)
        client = AsyncClient(settings=replace(outcome.settings, api_key=outcome.secret))
        self.dismiss()
        await self._dashboard.use(client)

    def _find_wrong(self) -> str:
        """Return what is wrong with what was typed, or nothing."""
        values = self._values()
        for name in FIELDS[self._way]:
            if not values[name] and name != "tenant":
                self.query_one(f"#{name}").focus()
                return f"{LABELS[name]} is needed."
        if self._way == KEY and split_api_key(values["key"]) is None:
            return "That is not an Omium API key, or it was not copied whole: they look like om_dev_…."
        if "again" in FIELDS[self._way]:
            if len(values["password"]) < PASSWORD_LENGTH_MIN:
                return f"A password has at least {PASSWORD_LENGTH_MIN} characters."
            if values["password"] != values["again"]:
                return "The two passwords differ."
        return ""

    def _values(self) -> dict[str, str]:
        values = {name: self.query_one(f"#{name}", Input).value.strip() for name in ("server", *LABELS)}
        return {**values, "environment": str(self.query_one("#environment", Select).value)}

    def _show_fields(self) -> None:
        shown = FIELDS[self._way]
        for name in LABELS:
            self.query_one(f"#label-{name}").display = name in shown
            self.query_one(f"#{name}").display = name in shown
        for part in ("#label-environment", "#environment"):
            self.query_one(part).display = self._way != KEY

    def _say(self, sentence: str) -> None:
        self.query_one("#outcome", Static).update(safe(sentence))

    def _address(self) -> str:
        if self._dashboard.connected:
            return self._dashboard.link.client.settings.base_url
        return load_settings(new_profile=True).base_url

    def _settings(self, server: str) -> Settings:
        """Return how a server is reached; in a browser the one that is given, and as it is trusted there."""
        if self._dashboard.in_browser and self._dashboard.connected:
            return self._dashboard.link.client.settings
        return load_settings(base_url=server or None, new_profile=True)

    def _token(self) -> str | None:
        """Return the one-time token of a fresh server on this machine, if this user may read it."""
        if self._dashboard.in_browser:
            return None
        file = bootstrap_token_file(data_folder())
        try:
            return file.read_text().strip() if os.access(file, os.R_OK) else None
        except OSError:
            return None

    @property
    def _way(self) -> str:
        return str(self.query_one("#way", Select).value)

    @property
    def _dashboard(self) -> DashboardApp:
        return cast("DashboardApp", self.app)


async def _be_accepted(
    settings: Settings, way: str, values: Mapping[str, str], token: str | None
) -> Accepted:
    """Ask the server whether it takes what was typed; raises what it answers else."""
    environment = Environment(values["environment"])
    if way == KEY:
        async with AsyncClient(settings=replace(settings, api_key=values["key"])) as client:
            who = await client.get_whoami()
        about = {"api_key_id": who.api_key_id or "", "tenant": who.tenant, "tenant_id": who.tenant_id}
        return Accepted(settings, values["key"], {**about, "environment": who.environment.value})
    async with AsyncClient(settings=replace(settings, api_key=None)) as client:
        session = await _open_session(client, way, values, token, environment)
    about = {"tenant": session.tenant, "tenant_id": session.tenant_id, "environment": environment.value}
    return Accepted(settings, session.session_token, about)


async def _open_session(
    client: AsyncClient, way: str, values: Mapping[str, str], token: str | None, environment: Environment
) -> NewSession:
    user, password, tenant = values["user"], values["password"], values["tenant"] or None
    if way == LOGIN:
        return await client.log_in(
            LogIn(user=user, password=password, tenant=tenant, environment=environment)
        )
    if way == BEGIN and token is None:
        raise ConfigError("There is no one-time token any more: the server has its first user. Log in.")
    by = {"token": token, "tenant": tenant} if way == BEGIN else {"invitation": values["invitation"]}
    command = SignUp.model_validate({"user": user, "password": password, "environment": environment, **by})
    return await client.sign_up(command)
