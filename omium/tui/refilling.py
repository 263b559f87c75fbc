"""Forms that are asked again, as they were filled in, when what was asked for is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from pydantic import ValidationError

from omium.errors import Problem
from omium.tui.asking import Asking
from omium.tui.dialogs import Field, Form

Values = Mapping[str, str]
Again = Callable[[Exception], None]
"""Asks again with what was typed; takes what was wrong with it."""


def ask_form(
    page: Asking,
    title: str,
    fields: Sequence[Field],
    use: Callable[[Values, Again], None],
    *,
    send: str,
    note: str = "",
) -> None:
    """Ask for `fields`; `use` gets the values. A `ValueError` of it, or what `Again` is given, asks again."""

    def again(values: Values, wrong: Exception) -> None:
        filled = [replace(field, value=values.get(field.name, field.value)) for field in fields]
        said = "\n\n".join(filter(None, (f"! {refusal(wrong)}", note)))
        page.dashboard.push_screen(Form(title, filled, send=send, note=said), answered)

    def answered(values: Values | None) -> None:
        if values is None:
            return
        try:
            use(values, partial(again, values))
        except ValueError as wrong:  # pydantic's errors are such, too
            again(values, wrong)

    page.dashboard.push_screen(Form(title, fields, send=send, note=note), answered)


def refusal(wrong: Exception) -> str:
    """Return what is wrong, with every place that the server or a model names."""
    if isinstance(wrong, ValidationError):
        return " ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}." for each in wrong.errors())
    lines = [str(wrong)]
    if isinstance(wrong, Problem):
        errors = wrong.members.get("errors")
        for each in errors if isinstance(errors, list) else []:
            if isinstance(each, dict) and str(each.get("detail", "")) not in lines[0]:
                lines.append(f"{each.get('pointer', '')}: {each.get('detail', '')}")
    return "\n".join(lines)
