"""Settings: people, secrets, alerts and the audit log of the tenant."""

from __future__ import annotations

from typing import ClassVar, Final

from omium.tui.actions import Action
from omium.tui.leaving import LogOut
from omium.tui.pages.retention_form import RETENTION, ask_retention
from omium.tui.pages.sections import SectionsPage
from omium.tui.pages.settings_oversight import Alerts, Audit, Messages, Secrets
from omium.tui.pages.settings_people import Invitations, Members, Sessions, Tenants

LOG_OUT: Final = Action(
    "log_out",
    "X",
    "log out",
    "In a browser: log it out, which ends all dashboards that it has open.",
    "Dashboard",
)


class SettingsPage(SectionsPage):
    """Everything about the tenant that is neither a key nor money."""

    NAME: ClassVar[str] = "settings"
    TITLE: ClassVar[str | None] = "Settings"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*SectionsPage.ACTIONS, RETENTION, LOG_OUT)
    SECTIONS = (Members, Invitations, Sessions, Tenants, Secrets, Alerts, Messages, Audit)

    def may_do(self, action: Action) -> bool:
        """Nobody logs out of a terminal: `omium logout` forgets the profile's own key or session."""
        return self.dashboard.in_browser if action is LOG_OUT else super().may_do(action)

    def action_retention(self) -> None:
        """Say how long executions are kept."""
        ask_retention(self)

    def action_log_out(self) -> None:
        """Have this browser logged out."""
        self.ask(
            "Log this browser out?",
            "All dashboards that it has open end.",
            self._leave,
            yes="Log out",
        )

    def _leave(self) -> None:
        self.app.post_message(LogOut())
