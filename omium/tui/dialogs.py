"""Questions in the middle of the screen: confirm, a count, one line, several fields, a text to read.

Each is a modal screen that ends with an answer, or with None when it is left by esc.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Input, Label, Select, Static, TextArea

from omium.tui.content import safe, safe_lines

_LEAVE: Final = Binding("escape", "leave", "leave", show=False)
TABS: Final = (
    Binding("tab", "app.focus_next", show=False, priority=True),
    Binding("shift+tab", "app.focus_previous", show=False, priority=True),
)
"""Done at once: of keys that come in one burst, as over a slow link, those after a tab are the next field's,
so that no password is typed into the field before it."""


class Confirm(ModalScreen[bool]):
    """Ask before something that cannot be taken back; with `count`, its number has to be typed."""

    BINDINGS: ClassVar[list[BindingType]] = [_LEAVE, *TABS]

    def __init__(
        self, question: str, details: str = "", *, yes: str = "Yes", count: int | None = None
    ) -> None:
        super().__init__()
        self._question, self._details, self._yes, self._count = question, details, yes, count

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(safe(self._question), classes="dialog-title", markup=False)
            if self._details:
                with VerticalScroll(classes="dialog-text"):
                    yield Static(safe_lines(self._details), markup=False)
            if self._count is not None:
                yield Label(f"Type {self._count} to go on.", markup=False)
                yield Input(id="count", placeholder=str(self._count), type="integer", compact=True)
            with Horizontal(classes="dialog-buttons"):
                yield Button(
                    self._yes, variant="error", id="yes", disabled=self._count is not None, compact=True
                )
                yield Button("No", id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#count" if self._count is not None else "#no").focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#yes", Button).disabled = event.value.strip() != str(self._count)

    def on_input_submitted(self) -> None:
        if not self.query_one("#yes", Button).disabled:
            self.dismiss(True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_leave(self) -> None:
        self.dismiss(False)


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a form: `kind` says how it is asked for, `check` returns what is wrong with a value."""

    name: str
    label: str
    value: str = ""
    placeholder: str = ""
    help: str = ""
    kind: str = "text"
    """text, secret, lines, choice or flag (then the value is `true` or empty)."""
    choices: Sequence[str] = ()
    required: bool = False
    check: Callable[[str], str | None] = field(default=lambda _: None)


class Form(ModalScreen[Mapping[str, str] | None]):
    """Ask for several values; what is wrong is said beside its field, and nothing typed is lost."""

    BINDINGS: ClassVar[list[BindingType]] = [_LEAVE, *TABS, Binding("ctrl+s", "send", "send")]

    def __init__(self, title: str, fields: Sequence[Field], *, send: str = "Send", note: str = "") -> None:
        super().__init__()
        self._title, self._fields, self._send, self._note = title, fields, send, note

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog form"):
            yield Label(safe(self._title), classes="dialog-title", markup=False)
            with VerticalScroll(classes="form-fields"):
                if self._note:
                    yield Static(safe_lines(self._note), markup=False, classes="form-note")
                for each in self._fields:
                    yield Label(safe(each.label), classes="form-label", markup=False)
                    yield _make_input(each)
                    if each.help:
                        yield Static(safe_lines(each.help), classes="form-help", markup=False)
                    yield Static("", id=f"wrong-{each.name}", classes="form-wrong", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"{self._send} (ctrl+s)", variant="primary", id="send", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        if self._fields:
            self.query_one(f"#field-{self._fields[0].name}").focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == f"field-{self._fields[-1].name}":
            self.action_send()
        else:
            self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "send":
            self.action_send()
        else:
            self.dismiss(None)

    def action_send(self) -> None:
        values, right = {}, True
        for each in self._fields:
            value = self._read(each)
            wrong = "This is needed." if each.required and not value.strip() else each.check(value)
            said = self.query_one(f"#wrong-{each.name}", Static)
            said.update(safe(wrong or ""))
            if wrong and right:
                self.query_one(f"#field-{each.name}").focus()
                self.call_after_refresh(said.scroll_visible, animate=False)  # it is below the field
            right = right and not wrong
            values[each.name] = value
        if right:
            self.dismiss(values)

    def action_leave(self) -> None:
        self.dismiss(None)

    def _read(self, each: Field) -> str:
        widget = self.query_one(f"#field-{each.name}")
        if isinstance(widget, TextArea):
            return widget.text
        if isinstance(widget, Checkbox):
            return "true" if widget.value else ""
        if isinstance(widget, Select):
            return "" if widget.is_blank() else str(widget.value)
        assert isinstance(widget, Input)
        return widget.value


def _make_input(each: Field) -> Input | TextArea | Checkbox | Select[str]:
    name = f"field-{each.name}"
    match each.kind:
        case "lines":
            return TextArea(each.value, id=name, show_line_numbers=False, compact=True)
        case "flag":
            return Checkbox(safe(each.placeholder or each.label), each.value == "true", id=name, compact=True)
        case "choice":
            options = [(safe(choice), choice) for choice in each.choices]
            if each.value in each.choices:
                return Select(options, value=each.value, allow_blank=not each.required, id=name, compact=True)
            return Select(options, id=name, compact=True)
        case _:
            secret = each.kind == "secret"
            return Input(each.value, placeholder=each.placeholder, password=secret, id=name, compact=True)


class Reading(ModalScreen[None]):
    """Show a text that may be long: a plan, a secret that is shown once, a command line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _LEAVE,
        Binding("q,enter", "leave", "close", show=False),
        Binding("y", "copy", "copy"),
    ]

    def __init__(self, title: str, text: str, *, copied: str | None = None, note: str = "") -> None:
        super().__init__()
        self._title, self._text, self._copied, self._note = title, text, copied, note

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog reading"):
            yield Label(safe(self._title), classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-text", can_focus=True):
                yield Static(safe_lines(self._text), markup=False)
            if self._note:
                yield Static(safe_lines(self._note), classes="form-note", markup=False)
            yield Static("y copies it, esc closes.", classes="form-help", markup=False)

    def on_mount(self) -> None:
        self.query_one(".dialog-text").focus()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._copied or self._text)
        self.app.notify("Copied.")

    def action_leave(self) -> None:
        self.dismiss(None)
