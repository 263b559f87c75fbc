"""A page as flows of dialogs see it: what asks, changes and confirms for them (it is `PageScreen`).

Flows (`replaying.py`, `rolling_back.py`, `deciding.py`, ...) are called by pages and use them for their
calls, so that a flow needs no page of its own and a call outlives the dialog it was asked in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from omium.errors import OmiumError
from omium.sdk.async_client import AsyncClient
from omium.tui.app import DashboardApp

T = TypeVar("T")


class Asking(Protocol):
    """The page that a flow was called from."""

    @property
    def dashboard(self) -> DashboardApp:
        """The application."""
        ...

    @property
    def client(self) -> AsyncClient:
        """The server."""
        ...

    def load(self) -> None:
        """Load what the page shows again."""

    def fetch(
        self,
        call: Callable[[], Awaitable[T]],
        then: Callable[[T], None],
        *,
        name: str = "load",
        failed: Callable[[OmiumError], None] | None = None,
    ) -> None:
        """Ask the server."""

    def act(
        self,
        what: str,
        call: Callable[[], Awaitable[T]],
        then: Callable[[T], None] | None = None,
        *,
        said: str = "",
        failed: Callable[[OmiumError], None] | None = None,
    ) -> None:
        """Change something."""

    def ask(
        self, question: str, details: str, then: Callable[[], None], *, yes: str, count: int | None = None
    ) -> None:
        """Confirm something that cannot be taken back."""
