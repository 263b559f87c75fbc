"""Which pages there are, on which key, and where their code is.

A page's module is imported when the page is opened first, so that the dashboard's first paint does not wait
for pages that nobody looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from textual.screen import Screen

from omium.tui.frame import Frame


@dataclass(frozen=True, slots=True)
class PageEntry:
    """A page: its word for `:`, its key (or none), its title, and `module:class`."""

    name: str
    key: str
    title: str
    place: str
    help: str

    def load(self) -> type[Frame]:
        """Return the page's class."""
        found: type[Frame] = _load(self.place)
        return found


PAGES: Final = (
    PageEntry(
        "overview", "1", "Overview", "overview:OverviewPage", "Where everything stands, and what to do first."
    ),
    PageEntry("executions", "2", "Executions", "executions:ExecutionsPage", "What runs and what ran."),
    PageEntry(
        "failures",
        "3",
        "Failures",
        "failures:FailuresPage",
        "What failed, and what to do about it.",
    ),
    PageEntry(
        "automation",
        "4",
        "Automation",
        "automation:AutomationPage",
        "Workflows: import, edit, run.",
    ),
    PageEntry(
        "analytics", "5", "Analytics", "analytics:AnalyticsPage", "Usage, errors and savings over time."
    ),
    PageEntry("keys", "6", "Keys", "keys:KeysPage", "API keys: make, rotate, revoke, cap."),
    PageEntry("billing", "7", "Billing", "billing:BillingPage", "Balance, top-ups, history, prices."),
    PageEntry("docs", "8", "Docs", "docs:DocsPage", "The documentation."),
    PageEntry(
        "server", "9", "Server", "server:ServerPage", "Workers, queues, breakers, the server's health."
    ),
    PageEntry(
        "settings", "0", "Settings", "settings:SettingsPage", "People, sessions, secrets, alerts, audit log."
    ),
)

OFFLINE: Final = frozenset({"executions", "failures", "automation", "docs"})
"""The pages that a bundle has something for."""

DETAILS: Final[Mapping[str, str]] = {
    "ex": "execution:ExecutionPage",
    "fl": "failure:FailurePage",
    "wf": "workflow:WorkflowPage",
    "sc": "start:StartPage",
    "tr": "start:StartPage",
}
"""Prefix of an id to the page that shows one of its kind; made with that id."""


def load_detail(object_id: str) -> Callable[[str], Frame] | None:
    """Return the page that shows what `object_id` names; None if no page does."""
    place = DETAILS.get(object_id.partition("_")[0])
    return None if place is None else _load(place)


def make_connect(sentence: str) -> Screen[None]:
    """Return the screen that asks for a server and a log-in or key; `sentence` says why."""
    made: Screen[None] = _load("connect:ConnectScreen")(sentence)
    return made


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"omium.tui.pages.{module}"), name)
