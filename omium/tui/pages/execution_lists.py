"""The panes of an execution's page that are lists: when they are asked for, and following what is new."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Final

from pydantic import BaseModel
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Static

from omium.errors import OmiumError
from omium.models.execution import Checkpoint, ExecutionDetail, StepAttempt
from omium.models.wire import Page
from omium.states import ENDED_STATUSES
from omium.tui.content import safe
from omium.tui.execution_panes import PANES, Fact, Pane, Relative
from omium.tui.looking import Looking
from omium.tui.pages.page import PageScreen
from omium.tui.widgets.listing import Listing
from omium.tui.widgets.step_tree import StepTree

SOON_S: Final = 0.12
"""How long the cursor rests on a step before what belongs to it is asked for."""
TAIL: Final = 200
"""Whoever follows begins so many events before the last."""
_BY_NAME: Final = {pane.name: pane for pane in PANES}


class ExecutionLists(PageScreen):
    """What the page of an execution does with its lists."""

    NAME: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self.execution_id = ""
        self.detail: ExecutionDetail | None = None
        self.tab = ""
        self.following = False
        self._at_end = False
        self._asked_for: dict[str, str] = {}
        self._soon: Timer | None = None

    @property
    def path(self) -> str:
        """The step that is pointed at."""
        return ""

    def lists(self) -> ComposeResult:
        """Yield the lists."""
        for pane in PANES:
            with Vertical(id=pane.name):
                yield Static("", id=f"{pane.name}-empty", classes="pane-empty", markup=False)
                yield Listing[Any](pane.columns, pane.key_of, marks=False, id=f"{pane.name}-list")

    def list_of(self, name: str) -> Listing[Any]:
        """Return the list of a pane."""
        return self.query_one(f"#{name}-list", Listing)

    # ------------------------------------------------------------------------------ asking
    def show_list(self, name: str, *, anew: bool) -> None:
        """Ask for a pane's list: anew, or for what is new in it."""
        pane, detail = _BY_NAME[name], self.detail
        if detail is None:
            return
        path = self.path if pane.of_step else ""
        listing = self.list_of(name)
        anew = anew or self._asked_for.get(name) != path
        if anew:
            self._asked_for[name] = path
            listing.clear_items()
            self.query_one(f"#{name}-empty").display = False
        if pane.newer is not None and listing.complete and (listing.items or self.following):
            beginning = max(detail.last_seq - TAIL, 0) if not listing.items else listing.items[-1].seq
            self.fetch(
                partial(pane.newer, self.client, detail, beginning),
                partial(self._came, pane, path, True),
                name=f"list-{pane.name}",
                failed=partial(self._refused, pane),
            )
        elif pane.newer is None or anew or not listing.items:
            self._ask(pane, path, None)

    def list_soon(self) -> None:
        """Ask for what belongs to the step when the cursor has come to rest."""
        if self._soon is not None:
            self._soon.stop()
        self._soon = self.set_timer(SOON_S, lambda: self.show_list(self.tab, anew=False))

    def _ask(self, pane: Pane, path: str, after: str | None) -> None:
        detail = self.detail
        if detail is None:
            return
        self.fetch(
            partial(pane.ask, self.client, detail, path, after),
            partial(self._came, pane, path, after is not None),
            name=f"list-{pane.name}",
            failed=partial(self._refused, pane),
        )

    def _came(self, pane: Pane, path: str, appends: bool, page: Page[Any]) -> None:
        if self._asked_for.get(pane.name) != path:
            return
        listing = self.list_of(pane.name)
        if appends:
            listing.append(page.items, page.next)
        else:
            listing.show(page.items, page.next)
        empty = self.query_one(f"#{pane.name}-empty", Static)
        empty.display = not listing.items and page.next is None
        empty.update(safe(pane.empty))
        if self.following and pane.newer is not None:
            listing.action_scroll_bottom()

    def _refused(self, pane: Pane, error: OmiumError) -> None:
        """Say in the pane itself why it is empty; what is listed stays."""
        if not self.list_of(pane.name).items:
            empty = self.query_one(f"#{pane.name}-empty", Static)
            empty.update(safe(str(error)))
            empty.display = True
        else:
            self.dashboard.tell(error)

    @on(Listing.More)
    def _more(self, event: Listing.More) -> None:
        name = (event.listing.id or "").removesuffix("-list")
        if name in _BY_NAME:
            self._ask(_BY_NAME[name], self._asked_for.get(name, ""), event.after)

    # ------------------------------------------------------------------------------ opening
    @on(Listing.Chosen)
    def _chosen(self, event: Listing.Chosen) -> None:
        match event.item:
            case Relative(execution=execution):
                self.dashboard.open_id(execution.id)
            case Fact(what=what, step=step, whole=whole):
                self.app.push_screen(Looking(f"{what} {step}", dict(whole)))
            case Checkpoint() as checkpoint:
                self._read_checkpoint(checkpoint)
            case StepAttempt(key=key) as tried:
                self.app.push_screen(Looking(f"Try {tried.attempt} of {key}", tried.model_dump(mode="json")))
            case BaseModel() as model:
                self.app.push_screen(Looking(type(model).__name__, model.model_dump(mode="json")))
            case _:
                pass  # an empty list has nothing to open

    def _read_checkpoint(self, checkpoint: Checkpoint) -> None:
        def show(whole: Checkpoint) -> None:
            self.app.push_screen(Looking(f"State of {whole.name}", whole.state))

        self.fetch(
            partial(self.client.get_checkpoint, self.execution_id, checkpoint.id), show, name="checkpoint"
        )

    # ------------------------------------------------------------------------------ following
    def begin_following(self, detail: ExecutionDetail) -> None:
        """Follow an execution that is under way."""
        self.following = detail.status not in ENDED_STATUSES

    def action_follow(self) -> None:
        """Stay at the newest events and steps, or stop doing so."""
        self.following = not self.following
        self._at_end = self.following
        if self.following:
            self.want_all()
            self.query_one("#tree", StepTree).action_scroll_bottom()
            self._asked_for.pop("events", None)
        self.load()

    def want_all(self) -> None:
        """Read all steps, for whoever goes to the last one."""
