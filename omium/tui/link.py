"""The one connection: whether the server is there, who we are, and which executions have news.

Owns waiting for a lost server and gathering the server's hints; it never touches a widget: the application
hears of changes by messages. Calls themselves are made by pages (`PageScreen.fetch`, `PageScreen.act`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from omium.errors import ConnectionLost, OmiumError, Problem

if TYPE_CHECKING:
    from omium.models.account import WhoAmI
    from omium.sdk.async_client import AsyncClient

GATHER_S: Final = 0.25
"""How long news are gathered: far fewer than ten updates a second, however much runs."""
LOOK_AGAIN_S: Final = 2.0


class LinkState(StrEnum):
    """How the connection stands."""

    CONNECTING = "connecting"
    THERE = "there"
    AWAY = "away"
    CLOSED = "closed"
    """The server is there, but the key or session is not accepted (any more)."""
    OFFLINE = "offline"
    """A file is shown, no server."""


class Link:
    """One client, and what is known of its server.

    `on_state(state, sentence)` and `on_news(execution_ids)` are called in the event loop.
    """

    def __init__(
        self,
        client: AsyncClient,
        *,
        on_state: Callable[[LinkState, str], None],
        on_news: Callable[[frozenset[str]], None],
        offline: bool = False,
    ) -> None:
        self.client = client
        self.who: WhoAmI | None = None
        self.state = LinkState.OFFLINE if offline else LinkState.CONNECTING
        self._on_state = on_state
        self._on_news = on_news
        self._gathered: set[str] = set()

    async def run(self) -> None:
        """Connect, then tell news until cancelled; a server that is away is waited for."""
        if self.state is LinkState.OFFLINE:
            return
        while True:
            try:
                self.who = await self.client.get_whoami()
                self._become(LinkState.THERE, "")
                await self._tell_news()
            except Problem as problem:
                if problem.status in (401, 403):
                    self._become(LinkState.CLOSED, problem.detail)
                    return
                self._become(LinkState.AWAY, problem.detail)
            except (ConnectionLost, OSError) as error:
                self._become(LinkState.AWAY, str(error))
            except OmiumError as error:  # a setting that is wrong: waiting does not mend it
                self._become(LinkState.CLOSED, str(error))
                return
            await asyncio.sleep(LOOK_AGAIN_S)

    def lost(self, error: ConnectionLost) -> None:
        """Note that a call got no answer."""
        if self.state is LinkState.THERE:
            self._become(LinkState.AWAY, str(error))

    def answered(self) -> None:
        """Note that a call was answered."""
        if self.state is LinkState.AWAY:
            self._become(LinkState.THERE, "")

    def ended(self, problem: Problem) -> None:
        """Note that the key or session is not accepted any more."""
        if self.state is not LinkState.OFFLINE:
            self._become(LinkState.CLOSED, problem.detail)

    async def _tell_news(self) -> None:
        """Gather hints and pass them on a few times a second; returns when the stream ends."""
        beside = [asyncio.create_task(each()) for each in (self._send_gathered, self._look_again)]
        try:
            async for hint in self.client.stream_hints():
                self._gathered.add(hint.execution_id)
        finally:
            for task in beside:
                task.cancel()

    async def _look_again(self) -> None:
        """After a call that got no answer: the hints may go on by themselves, and would not say so."""
        while True:
            await asyncio.sleep(LOOK_AGAIN_S)
            if self.state is LinkState.AWAY:
                with contextlib.suppress(OmiumError, OSError):
                    self.who = await self.client.get_whoami()
                    self.answered()

    async def _send_gathered(self) -> None:
        while True:
            await asyncio.sleep(GATHER_S)
            if self._gathered:
                gathered, self._gathered = frozenset(self._gathered), set()
                self._on_news(gathered)

    def _become(self, state: LinkState, sentence: str) -> None:
        if state is not self.state or state is LinkState.CLOSED:
            self.state = state
            self._on_state(state, sentence)
