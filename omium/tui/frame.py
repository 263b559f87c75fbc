"""What the application needs to know of a page: its word, its actions, where it is (more: pages/page.py)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, cast

from textual.dom import DOMNode
from textual.screen import Screen

from omium.tui.actions import Action


def run_beside(
    node: DOMNode,
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    group: str,
    name: str = "",
    exclusive: bool = False,
) -> None:
    """Run `work` beside everything else, for `node` and as long as it is there.

    With `exclusive`, what else runs of its `group` is cancelled.
    """
    typed = cast("Any", work)  # Textual's own annotation of this argument leaves a type checker nothing
    node.run_worker(typed, name=name, group=group, exclusive=exclusive)


class Frame(Screen[None]):
    """A page or a detail, as the application sees it."""

    NAME: ClassVar[str] = ""
    """Its word, as in `registry.PAGES`; a detail has that of the page it belongs to."""
    TITLE: ClassVar[str | None] = ""
    ACTIONS: ClassVar[tuple[Action, ...]] = ()

    @property
    def breadcrumb(self) -> str:
        """Where this is: `Failures`, `Executions / ex_…`."""
        return self.TITLE or ""

    @property
    def command_line(self) -> str:
        """The command of `omium` that shows or does what is on the screen."""
        return "omium status"

    def bundle_command(self, file: str) -> str:
        """Return the command that shows the same of the bundle `file`; empty if there is none."""
        return ""

    def load(self) -> None:
        """Ask the server for what is shown. Called again whenever it may have changed as a whole."""

    def news_arrived(self, execution_ids: frozenset[str]) -> None:
        """Hear which executions have news."""
