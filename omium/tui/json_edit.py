"""A value to edit: JSON that is checked while it is typed, or text as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, cast

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static, TextArea

from omium.errors import InvalidJson
from omium.jsonvalue import JsonValue, parse_json
from omium.tui.app import DashboardApp
from omium.tui.content import safe, safe_lines
from omium.tui.editor import edit_text
from omium.words import json_text

TYPED_LENGTH_MAX: Final = 200_000
CHECKED_LIVE_LENGTH_MAX: Final = 100_000
"""Longer texts are checked when they are sent: no key waits for a parser."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What was typed: the value, and why."""

    value: JsonValue
    reason: str


def check_json(text: str) -> str | None:
    """Return what is wrong with the JSON that was typed into a field of a form; nothing typed is right."""
    try:
        read_json(text)
    except InvalidJson as problem:
        return f'{problem} (A text needs quotes: "so".)'
    return None


def read_json(text: str) -> JsonValue:
    """Return the value that was typed into a field, None for nothing; raises `InvalidJson`."""
    return parse_json(text) if text.strip() else None


class JsonEdit(ModalScreen[Edited | None]):
    """Edit `value`; what is wrong is said below it, and nothing typed is lost.

    A text is edited as text; ctrl+t takes what is there as JSON instead, and back. ctrl+e edits it in the
    user's $EDITOR, which is the only way for what is longer than `TYPED_LENGTH_MAX`. `check` returns what is
    wrong with a value that is right as JSON.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", show=False),
        Binding("ctrl+s", "send", "take it", priority=True),
        Binding("ctrl+t", "turn", "text or JSON", priority=True),
        Binding("ctrl+e", "edit", "in $EDITOR", priority=True),
    ]

    def __init__(
        self,
        title: str,
        value: JsonValue,
        *,
        note: str = "",
        send: str = "Take it",
        reason: bool = True,
        check: Callable[[JsonValue], str | None] = lambda _: None,
    ) -> None:
        super().__init__()
        self._title, self._value, self._note, self._send, self._check = title, value, note, send, check
        self._with_reason = reason
        self._as_text = isinstance(value, str)
        text = value if isinstance(value, str) else json_text(value, indent=2)
        self._long = text if len(text) > TYPED_LENGTH_MAX else None
        self._short = "" if self._long is not None else text

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog json-edit"):
            yield Label(safe(self._title), classes="dialog-title", markup=False)
            if self._note:
                yield Static(safe_lines(self._note), classes="form-note", markup=False)
            yield TextArea(self._short, id="value", show_line_numbers=True, tab_behavior="indent")
            yield Static("", id="wrong", classes="form-wrong", markup=False)
            if self._with_reason:
                yield Input(placeholder="why (it is kept)", id="reason", compact=True)
            yield Static("", id="kind", classes="form-help", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"{self._send} (ctrl+s)", variant="primary", id="send", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        area = self.query_one("#value", TextArea)
        area.disabled = self._long is not None
        self.query_one("#send" if area.disabled else "#value").focus()
        self._say_kind()

    @on(TextArea.Changed)
    def _look(self) -> None:
        if len(self._text) <= CHECKED_LIVE_LENGTH_MAX:
            self._read()

    @on(Input.Submitted)
    def action_send(self) -> None:
        """Take the value, if it is right."""
        found = self._read()
        if found is not None:
            reason = self.query_one("#reason", Input).value if self._with_reason else ""
            self.dismiss(Edited(found[0], reason))

    def action_turn(self) -> None:
        """Take what is there as JSON instead of as text, or the other way round."""
        self._as_text = not self._as_text
        self._say_kind()
        self._read()

    def action_edit(self) -> None:
        """Edit it in the user's own editor; in a browser that would be the server's."""
        if not self._may_lend:
            return
        found = edit_text(cast("App[object]", self.app), self._text, ".txt" if self._as_text else ".json")
        if found is None:
            return
        text = found.removesuffix("\n")
        if len(text) > TYPED_LENGTH_MAX or self._long is not None:
            self._long = text
        else:
            self.query_one("#value", TextArea).text = text
        self._say_kind()
        self._read()

    def action_leave(self) -> None:
        self.dismiss(None)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "send":
            self.action_send()
        else:
            self.dismiss(None)

    @property
    def _text(self) -> str:
        return self.query_one("#value", TextArea).text if self._long is None else self._long

    @property
    def _may_lend(self) -> bool:
        return not cast("DashboardApp", self.app).in_browser

    def _read(self) -> tuple[JsonValue] | None:
        """Return the value, and say what is wrong where there is none."""
        wrong: str | None
        value: JsonValue = self._text
        try:
            if not self._as_text:
                value = parse_json(self._text)
            wrong = self._check(value)
        except InvalidJson as problem:
            wrong = str(problem)
        self.query_one("#wrong", Static).update(safe(wrong or ""))
        self.query_one("#send", Button).disabled = wrong is not None
        return None if wrong else (value,)

    def _say_kind(self) -> None:
        now, other = ("text", "JSON") if self._as_text else ("JSON", "text")
        words = f"It is taken as {now}; ctrl+t takes it as {other}"
        words += ", ctrl+e edits it in $EDITOR." if self._may_lend else "."
        if self._long is not None:
            words = f"It has {len(self._long):,} characters, too many to be typed here. {words}"
        self.query_one("#kind", Static).update(words)
