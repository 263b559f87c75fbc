"""A workflow's graph in box characters, scrolled, with a node that is pointed at and states of an execution.

    graph.show(spec)                     # a workflow as it is
    graph.show(spec, states)             # and what an execution does: states_of() of tui/node_states.py

It posts `Pointed` when another node is pointed at, and `Chosen` on enter or a second click.
The drawing is omium/spec/drawing's; where that does not fit, or in plain mode, it is a list of nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Final, cast

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from omium.safetext import width_of
from omium.spec.document import Body, Node
from omium.spec.drawing.terminal import Drawing, Spot, draw
from omium.tui.actions import Action, bindings_of
from omium.tui.app import DashboardApp
from omium.tui.content import tone_style
from omium.tui.node_states import NOT_RUN, NodeState
from omium.words import state_text

SCROLLED_WIDTH: Final = 300
"""A graph that does not fit is drawn up to so wide, and scrolled; beyond, it is a list."""
STATE_WIDTH: Final = 13
"""What the boxes leave for a state, so that the drawing stays as it is while states change."""

_Distance = Callable[[Spot, Spot], tuple[int, int]]

BELOW = Action("go_down", "j,down", "below", "To the node below.", "Go", shown=False)
ABOVE = Action("go_up", "k,up", "above", "To the node above.", "Go", shown=False)
LEFT = Action("go_left", "h,left", "left", "To the node at the left.", "Go", shown=False)
RIGHT = Action("go_right", "l,right", "right", "To the node at the right.", "Go", shown=False)
FIRST = Action("go_first", "g,home", "first", "To the first node.", "Go", shown=False)
LAST = Action("go_last", "G,end", "last", "To the last node.", "Go", shown=False)
CHOOSE = Action("choose", "enter", "node", "Show everything about the node that is pointed at.", "Go")


class GraphView(ScrollView, can_focus=True):
    """The graph of one workflow."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (BELOW, ABOVE, LEFT, RIGHT, FIRST, LAST, CHOOSE)
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(ACTIONS)
    DEFAULT_CSS = """
    GraphView { height: 1fr; background: $surface; padding: 0 1; }
    """

    class Pointed(Message):
        """Another node is pointed at; None in a graph without nodes."""

        def __init__(self, graph: GraphView, path: str | None, node: Node | None) -> None:
            super().__init__()
            self.graph = graph
            self.path = path
            self.node = node

        @property
        def control(self) -> GraphView:
            """The graph."""
            return self.graph

    class Chosen(Pointed):
        """Enter was pressed on a node, or it was clicked."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._body: Body | None = None
        self._states: Mapping[str, NodeState] = {}
        self._drawing = Drawing((), (), outlined=False)
        self._spots: dict[str, Spot] = {}
        self._of_path: dict[str, Node] = {}
        self._pointed: str | None = None
        self._drawn_for: tuple[object, ...] = ()

    # ------------------------------------------------------------------------------ what is shown
    def show(self, body: Body, states: Mapping[str, NodeState] | None = None) -> None:
        """Show a workflow's spec; `states` says, by the node's path, what an execution has done of it."""
        self._body = body
        self._states = states or {}
        self._of_path = _list_nodes(body, "")
        self._draw()

    @property
    def pointed(self) -> str | None:
        """The path of the node that is pointed at."""
        return self._pointed

    @property
    def pointed_node(self) -> Node | None:
        """The node that is pointed at."""
        return self._of_path.get(self._pointed or "")

    def point_at(self, path: str) -> bool:
        """Point at a node and bring it into view; False if there is none of that path."""
        spot = self._spots.get(path)
        if spot is None:
            return False
        if path != self._pointed:
            self._pointed = path
            self.post_message(self.Pointed(self, path, self._of_path.get(path)))
        self.scroll_to_region(
            Region(spot.column, spot.line, spot.width, spot.height), animate=False, immediate=True, force=True
        )
        self.refresh()
        return True

    # ------------------------------------------------------------------------------ drawing
    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self._tell_again())

    def _tell_again(self) -> None:
        """Let what is said about the node be said in the colours of another theme."""
        if self._pointed is not None:
            self.post_message(self.Pointed(self, self._pointed, self.pointed_node))

    def on_resize(self) -> None:
        """A drawing fits one width."""
        self._draw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.refresh()

    def _draw(self) -> None:
        width = self.content_region.width - self.styles.scrollbar_size_vertical
        if self._body is None or width < 1:
            return
        words = (
            {path: self._words(path, node) for path, node in self._of_path.items()} if self._states else {}
        )
        wanted = (id(self._body), width, tuple(words.items()))
        if wanted != self._drawn_for:
            self._drawn_for = wanted
            plain = cast("DashboardApp", self.app).plain
            drawing = draw(self._body, width, words=words, outline=plain)
            if drawing.outlined and not plain:
                wider = draw(self._body, SCROLLED_WIDTH, words=words)
                drawing = drawing if wider.outlined else wider
            self._drawing = drawing
            self._spots = {spot.path: spot for spot in drawing.spots}
        self.virtual_size = Size(
            max((width_of(line) for line in self._drawing.lines), default=0), len(self._drawing.lines)
        )
        if self._pointed not in self._spots:
            first = next(iter(self._spots), None)
            self._pointed = first
            self.post_message(self.Pointed(self, first, self._of_path.get(first or "")))
        self.refresh()

    def _words(self, path: str, node: Node) -> str:
        return f"{self.state_words(path):<{STATE_WIDTH}} {node.type}"

    def state_words(self, path: str) -> str:
        """Return a node's state as glyph and word, such as `✓ completed (3)`."""
        state = self._states.get(path, NodeState(NOT_RUN))
        words, _ = state_text(state.word)
        return words + (f" ({state.times})" if state.times > 1 else "")

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        width, at = self.scrollable_content_region.width, top + y
        base = self.rich_style
        lines = self._drawing.lines
        strip = Strip([Segment(lines[at], base)] if at < len(lines) else [])
        for spot in self._drawing.spots:
            if spot.line <= at < spot.line + spot.height:
                strip = self._style_spot(strip, spot, at)
        return strip.crop_extend(left, left + width, base)

    def _style_spot(self, strip: Strip, spot: Spot, at: int) -> Strip:
        style = Style()
        if self._states and (at == spot.line + 2 or spot.height == 1):
            _, tone = state_text(self._states.get(spot.path, NodeState(NOT_RUN)).word)
            style += tone_style(tone or "dim", self.app.theme_variables)
        if spot.path == self._pointed:
            style += Style(bold=True, reverse=self.has_focus, underline=False)
        if not style:
            return strip
        end = spot.column + spot.width
        box = strip.crop(spot.column, end).apply_style(style)
        return Strip.join([strip.crop(0, spot.column), box, strip.crop(end)])

    # ------------------------------------------------------------------------------ keys
    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_go_down(self) -> None:
        """To the nearest node below."""
        self._go(lambda here, spot: (spot.line - here.line, abs(_middle(spot) - _middle(here))))

    def action_go_up(self) -> None:
        """To the nearest node above."""
        self._go(lambda here, spot: (here.line - spot.line, abs(_middle(spot) - _middle(here))))

    def action_go_right(self) -> None:
        """To the next node of the row."""
        self._go(lambda here, spot: (spot.column - here.column if spot.line == here.line else 0, 0))

    def action_go_left(self) -> None:
        """To the node before in the row."""
        self._go(lambda here, spot: (here.column - spot.column if spot.line == here.line else 0, 0))

    def action_go_first(self) -> None:
        """To the first node."""
        self._point_at_place(0)

    def action_go_last(self) -> None:
        """To the last node."""
        self._point_at_place(-1)

    def action_choose(self) -> None:
        """Show everything about the node."""
        if self._pointed is not None:
            self.post_message(self.Chosen(self, self._pointed, self.pointed_node))

    def on_click(self, event: events.Click) -> None:
        """A click points at a node; one on the node that is pointed at chooses it."""
        place = event.get_content_offset(self)
        if place is None:
            return
        column, line = place.x + self.scroll_offset.x, place.y + self.scroll_offset.y
        for spot in self._drawing.spots:
            if (
                spot.line <= line < spot.line + spot.height
                and spot.column <= column < spot.column + spot.width
            ):
                if spot.path == self._pointed:
                    self.action_choose()
                self.point_at(spot.path)

    def _go(self, distance: _Distance) -> None:
        """Point at the node with the least distance above zero."""
        here = self._spots.get(self._pointed or "")
        if here is None:
            return
        ahead = [(distance(here, spot), spot.path) for spot in self._drawing.spots]
        nearest = min((each for each in ahead if each[0][0] > 0), default=None)
        if nearest is not None:
            self.point_at(nearest[1])

    def _point_at_place(self, at: int) -> None:
        spots = sorted(self._drawing.spots, key=lambda spot: (spot.line, spot.column))
        if spots:
            self.point_at(spots[at].path)


def _middle(spot: Spot) -> int:
    return spot.column + spot.width // 2


def _list_nodes(body: Body, prefix: str) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for node in body.nodes:
        found[prefix + node.id] = node
        if node.body is not None:
            found |= _list_nodes(node.body, f"{prefix}{node.id}/")
    return found
