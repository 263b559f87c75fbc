"""A workflow's document to edit or import: what is wrong is said in place, what changes before it is saved.

Every way to change a workflow ends here: pasted, read from a file, typed, from a form, from $EDITOR. Nothing
typed is lost: a refused save, a lost server, or another one who saved meanwhile leave it as it is.
"""

from __future__ import annotations

import shlex
from functools import partial
from typing import ClassVar, Final

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Static, TextArea

from omium.errors import InvalidJson, OmiumError, SpecInvalid, WorkflowChanged
from omium.jsonvalue import JsonValue, parse_json
from omium.models.workflows import (
    CheckedWorkflow,
    CheckWorkflow,
    SavedWorkflow,
    SaveWorkflow,
    SpecFinding,
)
from omium.states import Scope
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.content import cell, right, safe
from omium.tui.dialogs import Field, Form
from omium.tui.editor import edit_text, read_file
from omium.tui.pages.page import PageScreen
from omium.tui.reviewing import Review, changes_text, finding_words, findings_text
from omium.tui.spec_text import Found, Looked, look_at, not_json, other_name, place_all
from omium.tui.widgets.listing import Column, Listing
from omium.words import count

SAVE: Final = Action(
    "save", "ctrl+s", "check and save", "Check it on the server, show what changes, and save it.", "Act",
    scope=Scope.MANAGE, changes=True,
)  # fmt: skip
OPEN_FILE: Final = Action(
    "open_file", "ctrl+o", "open a file", "Read the document from a file of this machine.", "Act", local=True
)
IN_EDITOR: Final = Action(
    "in_editor", "f4", "editor", "Go on in your $EDITOR; what you leave there comes back.", "Act", local=True
)
NEXT_PROBLEM: Final = Action("next_problem", "ctrl+n", "next problem", "To the next place that is wrong.")
BACK: Final = Action(
    "back", "escape", "back", "Leave; asks first if something is not saved.", "Go", shown=False
)
LOOK_AFTER_S: Final = 0.4
"""So long after the last key the document is looked at."""
LINES_MAX: Final = 6
"""So many findings are seen at once; the rest is scrolled to."""
LOOKED_AT_MAX: Final = 200_000
"""Longer texts are looked at only when they are saved: no key waits."""
_PASTE: Final = (
    "Paste a workflow's JSON here, or write it. Documents come from `omium export PATH.py` (code of CrewAI,"
    " LangGraph and others), `omium workflows export NAME`, or an editor."
)


class DocumentPage(PageScreen):
    """Edit the text of a document.

    `name` and `version` are those of the workflow that is edited; without them, the document's own name says
    which workflow it is a version of. `original` is what `text` is compared with before leaving.
    """

    NAME: ClassVar[str] = "automation"
    TITLE: ClassVar[str | None] = "Automation"
    ACTIONS: ClassVar[tuple[Action, ...]] = (SAVE, OPEN_FILE, IN_EDITOR, NEXT_PROBLEM, BACK, actions.PANES)
    DEFAULT_CSS = """
    DocumentPage #about, DocumentPage #verdict { height: auto; padding: 0 1; }
    DocumentPage #document { height: 1fr; border: none; }
    DocumentPage #finding { height: auto; max-height: 4; padding: 0 1; }
    """

    def __init__(
        self, text: str = "", *, name: str | None = None, version: int | None = None, original: str = ""
    ) -> None:
        super().__init__()
        self._text, self._name, self._version, self._original = text, name, version, original
        self._timer: Timer | None = None
        self._saving = False
        self._looked_at = ""
        """The text that was looked at last."""
        self._jumping = False
        """Whether to go to the first problem when the text has been looked at."""

    # ------------------------------------------------------------------------------ what is shown
    def body(self) -> ComposeResult:
        yield Static("", id="about", markup=False)
        yield TextArea(
            self._text, id="document", show_line_numbers=True, tab_behavior="focus", soft_wrap=False
        )
        yield Static("", id="verdict", markup=False)
        yield Listing[Found](
            (
                Column("Line", lambda each: right(each.line + 1), 5),
                Column(
                    "", lambda each: cell("warning", "yellow") if each.warning else cell("problem", "red"), 7
                ),
                Column("Where", lambda each: cell(each.finding.pointer or "/"), 24, hide_below=100),
                Column("What", lambda each: cell(f"{each.finding.detail} {each.finding.suggestion}")),
            ),
            lambda each: str(each.number),
            marks=False,
            id="findings",
        )
        yield Static("", id="finding", markup=False)

    def on_mount(self) -> None:
        super().on_mount()
        about = _PASTE
        if self._name is not None:
            about = f"{self._name}, from version {self._version}."
        self.query_one("#about", Static).update(safe(about))
        self.query_one("#findings").display = False
        self.query_one("#document").focus()
        self._look()

    @property
    def breadcrumb(self) -> str:
        return f"Automation / {self._name or 'import'}" + (" / edit" if self._name else "")

    @property
    def command_line(self) -> str:
        if self._name is None:
            return "omium workflows import FILE"
        return shlex.join(["omium", "workflows", "edit", self._name])

    @property
    def text(self) -> str:
        """What is typed."""
        return self.query_one("#document", TextArea).text

    def on_news(self, execution_ids: frozenset[str]) -> None:
        """Executions change nothing here."""

    # ------------------------------------------------------------------------------ what is wrong
    @on(TextArea.Changed, "#document")
    def _typed(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(LOOK_AFTER_S, self._look)

    def _look(self) -> None:
        """Look at what is typed, on this machine; the server does so again before a save."""
        text = self.text
        self.query_one("#about").display = self._name is not None or not text.strip()
        if not text.strip():
            self._looked_at = text
            self._show_findings([], "")
        elif len(text) > LOOKED_AT_MAX:
            self._looked_at = text
            self._show_findings([], f"{len(text):,} characters; ctrl+s checks them.")
        else:
            self.fetch(partial(look_at, text, self._name), partial(self._looked, text), name="look")

    def _looked(self, text: str, found: Looked) -> None:
        if text == self.text and text != self._looked_at:
            self._looked_at = text
            self._say(found.errors, found.warnings, f"✓ Valid, {found.size}; ctrl+s shows what changes.")
            if self._jumping:
                self._jumping = False
                self._next_problem()

    def _say(self, errors: list[SpecFinding], warnings: list[SpecFinding], right_words: str) -> None:
        found = place_all(self.text, errors, warnings)
        if errors:
            verdict = f"✗ {count(len(errors), 'problem')}; nothing can be saved. ctrl+n goes there."
        elif warnings:
            verdict = f"{right_words} {count(len(warnings), 'warning')}."
        else:
            verdict = right_words
        self._show_findings(found, verdict)

    def _show_findings(self, found: list[Found], verdict: str) -> None:
        listing: Listing[Found] = self.query_one("#findings", Listing)
        listing.clear_items()
        listing.display = bool(found)
        listing.styles.height = min(len(found), LINES_MAX) + 1
        listing.show(found, None)
        tone = "red" if verdict.startswith("✗") else "green" if verdict.startswith("✓") else ""
        self.query_one("#verdict", Static).update(self.painted(Text(safe(verdict), tone)))
        self.query_one("#finding", Static).update(safe(finding_words(found[0].finding)) if found else "")

    @on(Listing.Pointed, "#findings")
    def _pointed(self, event: Listing.Pointed) -> None:
        if isinstance(event.item, Found):
            self.query_one("#finding", Static).update(safe(finding_words(event.item.finding)))

    @on(Listing.Chosen, "#findings")
    def _jump(self, event: Listing.Chosen) -> None:
        if isinstance(event.item, Found):
            self._go_to(event.item)

    def _go_to(self, found: Found) -> None:
        area = self.query_one("#document", TextArea)
        line = min(found.line, max(area.document.line_count - 1, 0))
        area.focus()
        area.move_cursor((line, found.column), center=True)

    def action_next_problem(self) -> None:
        """To the next place that is wrong, round and round; what was just typed is looked at first."""
        if self.text != self._looked_at:
            self._jumping = True
            self._look()
        else:
            self._next_problem()

    def _next_problem(self) -> None:
        listing: Listing[Found] = self.query_one("#findings", Listing)
        found = sorted(listing.items, key=lambda each: (each.line, each.column))
        if not found:
            self.notify("Nothing is wrong here.")
            return
        here = self.query_one("#document", TextArea).cursor_location
        following = next((each for each in found if (each.line, each.column) > here), found[0])
        listing.point_at(str(following.number))
        self._go_to(following)

    # ------------------------------------------------------------------------------ saving
    def action_save(self) -> None:
        """Check it on the server, then show what changes."""
        document = self._read()
        if document is None or self._saving:
            return
        self._saving = True
        self._looked_at = self.text  # what the server says of it is not said over by a look from here
        self.query_one("#verdict", Static).update("Checking …")
        self.fetch(
            lambda: self.client.check_workflow(CheckWorkflow(document=document)),
            partial(self._checked, document),
            name="check",
            failed=self._refused,
        )

    def _checked(self, document: JsonValue, checked: CheckedWorkflow) -> None:
        self._saving = False
        if not checked.valid:
            self._say(checked.errors, checked.warnings, "")
            self._next_problem()
            return
        self._say([], checked.warnings, "✓ The server takes it.")
        active = checked.active_version or 0
        expected = active if self._version is None else self._version
        lines = Text()
        if expected != active:
            lines.append(
                f"! Version {active} was saved meanwhile; you began with {expected}. This is what changes"
                f" against version {active}: saving takes back what it brought.\n\n",
                "red",
            )
        lines.append(findings_text(checked.warnings))
        if not active:
            lines.append(f"{safe(checked.name)} is a new workflow.\n")
        else:
            lines.append(
                changes_text(checked.changes, none="It is the same workflow; nothing would be saved.")
            )
        title = f"Save {checked.name} as version {active + 1}?"
        save = "Save all the same" if expected != active else "Save"
        self.app.push_screen(Review(title, lines, save=save), partial(self._agreed, document, active))

    def _agreed(self, document: JsonValue, active: int, note: str | None) -> None:
        if note is None:
            return
        self._saving = True
        command = SaveWorkflow(document=document, note=note, expected_version=active)
        name = self._name or (document.get("name") if isinstance(document, dict) else "")
        self.act(
            f"Save {name}", lambda: self.client.save_workflow(command), self._saved, failed=self._refused
        )

    def _saved(self, done: SavedWorkflow) -> None:
        self._saving = False
        self._original = self.text
        said = (
            f"{done.name} is version {done.version}."
            if done.saved
            else f"{done.name} is version {done.version}; it is the same workflow, nothing was saved."
        )
        self.notify(safe(said), markup=False)
        if self.is_current:
            self.app.pop_screen()
            if self._name is None:
                self.dashboard.open_id(done.id)

    def _refused(self, error: OmiumError) -> None:
        """Nothing is lost: what was typed is there, and why it was refused."""
        self._saving = False
        self.query_one("#verdict", Static).update(self.painted(Text(f"✗ {safe(error)}", "red")))
        if isinstance(error, SpecInvalid):
            errors = error.members.get("errors")
            given = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
            self._say([SpecFinding.model_validate(each) for each in given], [], "")
        elif isinstance(error, WorkflowChanged):
            self.dashboard.tell(error, "Somebody saved meanwhile; ctrl+s compares with that")
        else:
            self.dashboard.tell(error, "It is not saved")

    def _read(self) -> JsonValue:
        """Return the document that is typed; what is no JSON, or of another name, is said in place."""
        text = self.text
        try:
            document = parse_json(text)
        except InvalidJson as error:
            self._say([not_json(error)], [], "")
            self._next_problem()
            return None
        wrong = other_name(document, self._name)
        if wrong is not None:
            self._say([wrong], [], "")
            self._next_problem()
            return None
        return document if document is not None else {}

    # ------------------------------------------------------------------------------ from elsewhere
    def action_open_file(self) -> None:
        """Ask for a file of this machine, and read it."""
        fields = [Field("file", "File", placeholder="research.json", required=True)]
        self.app.push_screen(Form("Read a document from a file", fields, send="Read"), self._open)

    def _open(self, values: object) -> None:
        if isinstance(values, dict):
            text = read_file(self.app, values["file"].strip())
            if text is not None:
                self.take(text)

    def action_in_editor(self) -> None:
        """Go on in $EDITOR."""
        text = edit_text(self.app, self.text, ".json")
        if text is not None:
            self.take(text)

    def take(self, text: str) -> None:
        """Put `text` in place of what is typed; ctrl+z takes it back."""
        area = self.query_one("#document", TextArea)
        area.replace(text, (0, 0), area.document.end)
        area.move_cursor((0, 0))
        area.focus()

    def action_back(self) -> None:
        """Leave; what is not saved is asked for first."""
        if self.text in (self._original, ""):
            self.app.pop_screen()
        else:
            self.ask(
                "Leave without saving?",
                "What you typed here is forgotten.",
                self._leave,
                yes="Forget it",
            )

    def _leave(self) -> None:
        self.app.pop_screen()
