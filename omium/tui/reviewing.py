"""What a save is going to change: read it, say why, agree. And how changes and findings are said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from omium.models.workflows import SpecFinding, WorkflowChange, WorkflowFieldChange
from omium.tui.content import paint, safe
from omium.tui.dialogs import Reading

NOTE_LENGTH_MAX: Final = 1_000
_SIGNS: Final = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_LINE_TONES: Final = {"+": "green", "-": "red"}


class Review(ModalScreen[str | None]):
    """Show what changes, and ask why; ends with the note, or with None where it is not to be saved."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", show=False),
        Binding("ctrl+s", "save", "save", priority=True),
    ]

    def __init__(self, title: str, lines: Text, *, save: str) -> None:
        super().__init__()
        self._title, self._lines, self._save = title, lines, save

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog reading"):
            yield Label(safe(self._title), classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-text", can_focus=True):
                yield Static(paint(self._lines, self.app.theme_variables), markup=False)
            yield Input(placeholder="Why; it is kept with the version", id="note", max_length=NOTE_LENGTH_MAX)
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"{self._save} (ctrl+s)", variant="primary", id="save", compact=True)
                yield Button("Go on editing", id="leave", compact=True)

    def on_mount(self) -> None:
        self.query_one(".dialog-text").focus()

    def on_input_submitted(self) -> None:
        self.action_save()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "save":
            self.action_save()
        else:
            self.dismiss(None)

    def action_save(self) -> None:
        """Agree."""
        self.dismiss(self.query_one("#note", Input).value)

    def action_leave(self) -> None:
        self.dismiss(None)


class Comparison(Reading):
    """What differs between two, to be read."""

    def __init__(self, title: str, lines: Text) -> None:
        super().__init__(title, lines.plain)
        self._lines = lines

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(".dialog-text Static", Static).update(paint(self._lines, self.app.theme_variables))


def changes_text(changes: Sequence[WorkflowChange], *, none: str = "Nothing changes.") -> Text:
    """Return what changed, a thing to a line, its fields below it."""
    text = Text()
    if not changes:
        text.append(f"{none}\n")
    for change in changes:
        sign, tone = _SIGNS[change.kind]
        text.append(f"{sign} {safe(f'{change.what} {change.id}'.rstrip())}\n", tone)
        for field in change.fields:
            _add_field(text, field)
    return text


def _add_field(text: Text, field: WorkflowFieldChange) -> None:
    if not field.text_diff:
        text.append(f"    {safe(field.pointer)}: {_short(field.before)} → {_short(field.after)}\n")
        return
    text.append(f"    {safe(field.pointer)}:\n")
    for line in field.text_diff:
        text.append(f"      {safe(line)}\n", _LINE_TONES.get(line[:1], "dim"))


def _short(value: object) -> str:
    return "nothing" if value is None else safe(json.dumps(value, ensure_ascii=False), length_max=200)


def findings_text(findings: Iterable[SpecFinding]) -> Text:
    """Return warnings, one to a line: where, what, and what to do."""
    text = Text()
    for each in findings:
        text.append(f"! {safe(finding_words(each))}\n", "yellow")
    return text


def finding_words(finding: SpecFinding) -> str:
    """Return one finding: where, what, and what to do."""
    where = finding.pointer or "the document"
    return f"{where}: {finding.detail} {finding.suggestion or ''}".rstrip()
