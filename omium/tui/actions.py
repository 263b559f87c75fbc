"""What can be done and on which key: one registry, from which keys, footer, palette, help and docs are made.

Owns `Action` and those that many pages share, so that a key means the same on every page. A page lists its
actions in `ACTIONS` and has a method `action_<name>` for each; `registry.py` knows all pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from textual.binding import Binding, BindingType

from omium.states import Scope

Group = Literal["Go", "Look", "Act", "Dashboard"]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a person can do with one key.

    `name` is the method (`action_<name>`), `key` as Textual spells it (several: with commas), `label` one or
    two words for the footer, `help` a sentence. `scope` is what the caller must hold to be offered it;
    `changes` takes it out of `--read-only`; `local` takes it out of the browser version, whose files and
    editor would be the server's. `shown` puts it into the footer.
    """

    name: str
    key: str
    label: str
    help: str
    group: Group = "Look"
    scope: Scope | None = None
    changes: bool = False
    local: bool = False
    shown: bool = True

    @property
    def binding(self) -> Binding:
        """How Textual knows it."""
        return Binding(self.key, self.name, self.label, show=self.shown, tooltip=self.help, id=None)

    @property
    def keys_text(self) -> str:
        """The keys as people read them: `j ↓`, `ctrl+d`."""
        return " ".join(_SPELLED.get(key, key) for key in self.key.split(","))


_SPELLED: Final = {
    "question_mark": "?", "colon": ":", "slash": "/", "at": "@", "space": "space", "down": "↓", "up": "↑",
    "escape": "esc", "left_square_bracket": "[", "right_square_bracket": "]", "pageup": "page up",
    "pagedown": "page down", "plus": "+", "minus": "-", "enter": "enter",
}  # fmt: skip


def bindings_of(actions: Iterable[Action]) -> list[BindingType]:
    """Return the bindings of `actions`, for a `BINDINGS` of Textual."""
    return [action.binding for action in actions]


# ------------------------------------------------------------------------------------------ everywhere
HELP = Action("help", "question_mark", "help", "Say what each key does here.", "Dashboard")
PALETTE = Action(
    "command_palette",
    "ctrl+p",
    "palette",
    "Find anything that can be done by its name.",
    "Dashboard",
    shown=False,
)
GO_TO = Action(
    "go_to", "colon", "go to", "Go to a page by its name, or to anything by its id.", "Dashboard", shown=False
)
BACK = Action("back", "escape", "back", "Go back to where you came from; never quits.", "Go", shown=False)
QUIT = Action("leave", "q", "quit", "Quit the dashboard; inside a detail, go back.", "Dashboard", shown=False)
THEME = Action(
    "next_theme",
    "T",
    "theme",
    "Change between the dark, the light and the other themes.",
    "Dashboard",
    shown=False,
)
COMMAND_LINE = Action(
    "command_line",
    "at",
    "as command",
    "Show the command line for what is on the screen.",
    "Dashboard",
    shown=False,
)
OWN_ACTIONS = Action(
    "own_actions", "L", "my log", "List what you did here, and how it ended.", "Dashboard", shown=False
)
REFRESH = Action("refresh_now", "ctrl+r", "refresh", "Load what is shown again.", "Look", shown=False)
EVERYWHERE: Final = (HELP, PALETTE, GO_TO, BACK, QUIT, THEME, COMMAND_LINE, OWN_ACTIONS, REFRESH)

# -------------------------------------------------------------------------------------------- in lists
DOWN = Action("cursor_down", "j,down", "down", "One line down.", "Go", shown=False)
UP = Action("cursor_up", "k,up", "up", "One line up.", "Go", shown=False)
TOP = Action("scroll_top", "g,home", "first", "To the first line.", "Go", shown=False)
BOTTOM = Action(
    "scroll_bottom", "G,end", "last", "To the last line; long lists load more there.", "Go", shown=False
)
HALF_DOWN = Action("half_down", "ctrl+d", "half page down", "Half a page down.", "Go", shown=False)
HALF_UP = Action("half_up", "ctrl+u", "half page up", "Half a page up.", "Go", shown=False)
OPEN = Action("select_cursor", "enter", "open", "Open what the cursor is on.", "Go")
MOVEMENT: Final = (DOWN, UP, TOP, BOTTOM, HALF_DOWN, HALF_UP, OPEN)
FILTER = Action(
    "filter", "slash", "filter", "Show only what contains some words; enter keeps it, esc drops it."
)
NEXT_FOUND = Action("next_found", "n", "next", "To the next that was found.", shown=False)
PREVIOUS_FOUND = Action("previous_found", "N", "previous", "To the one found before.", shown=False)
MARK = Action("mark", "space", "mark", "Mark the line, to do something with several at once.")

# -------------------------------------------------------------------------------------------- on pages
PANES = Action("focus_next", "tab", "panes", "To the next pane.", "Go", shown=False)
NEXT_TAB = Action("next_tab", "right_square_bracket", "next tab", "To the next tab.", "Go", shown=False)
PREVIOUS_TAB = Action(
    "previous_tab", "left_square_bracket", "previous tab", "To the tab before.", "Go", shown=False
)
FOLLOW = Action("follow", "f", "follow", "Keep up with what is new, or stop doing so.")
FAULTS = Action("faults", "z", "faults only", "Show only what failed, or all again.")
COPY = Action("copy", "y", "copy", "Copy the id of what the cursor is on, or its JSON.")
EDIT = Action(
    "edit", "e", "edit", "Open it in your $EDITOR.", "Act", scope=Scope.OPERATE, changes=True, local=True
)
REPLAY = Action(
    "replay", "r", "replay", "Run it again: shows the plan first.", "Act", scope=Scope.OPERATE, changes=True
)
PATCH = Action(
    "patch",
    "p",
    "patch",
    "Replay with edits: put another value where it went wrong.",
    "Act",
    scope=Scope.OPERATE,
    changes=True,
)
ROLLBACK = Action(
    "rollback",
    "b",
    "rollback",
    "Go back to a checkpoint: shows first what is undone.",
    "Act",
    scope=Scope.OPERATE,
    changes=True,
)
IGNORE = Action(
    "ignore",
    "i",
    "ignore",
    "Close it with a reason, for a time, or until it comes again.",
    "Act",
    scope=Scope.OPERATE,
    changes=True,
)
APPROVE = Action(
    "approve", "a", "approve", "Answer what waits for a person.", "Act", scope=Scope.OPERATE, changes=True
)
CANCEL = Action("cancel", "c", "cancel", "Ask that it stop.", "Act", scope=Scope.OPERATE, changes=True)
DIFF = Action("diff", "d", "diff", "Compare two.")
BUNDLE = Action(
    "bundle", "x", "bundle", "Write it into one file, to be read without the server.", local=True, shown=False
)
CREATE = Action("create", "plus,insert", "new", "Make a new one.", "Act", changes=True)
REMOVE = Action(
    "remove", "minus,delete", "remove", "Remove, revoke or end what is marked.", "Act", changes=True
)
ROTATE = Action(
    "rotate", "o", "rotate", "Give it a new secret, shown once; the former one ends.", "Act", changes=True
)
CHANGE = Action("change", "m", "change", "Change what can be changed of it.", "Act", changes=True)
TEST = Action("test", "t", "test", "Try whether it works.", "Act", changes=True)
VERIFY = Action("verify", "v", "verify", "Check that nothing was changed behind the server's back.", "Act")
SHARED: Final = (
    PANES, NEXT_TAB, PREVIOUS_TAB, FILTER, NEXT_FOUND, PREVIOUS_FOUND, MARK, FOLLOW, FAULTS, COPY, EDIT,
    REPLAY, PATCH, ROLLBACK, IGNORE, APPROVE, CANCEL, DIFF, BUNDLE, CREATE, REMOVE, ROTATE, CHANGE, TEST,
    VERIFY,
)  # fmt: skip
