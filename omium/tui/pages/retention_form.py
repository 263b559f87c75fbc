"""How long executions are kept after their end: a form of what holds, and what is set with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from omium.models.account import Retention
from omium.states import Scope
from omium.tui.actions import Action
from omium.tui.asking import Asking
from omium.tui.checks import whole_number
from omium.tui.dialogs import Field, Form

RETENTION: Final = Action(
    "retention", "K", "keep for", "Say for how many days executions are kept after their end.", "Act",
    scope=Scope.MANAGE, changes=True, shown=False,
)  # fmt: skip
DAYS_MAX: Final = 36_500
_DAYS: Final = whole_number(f"Days from 1 to {DAYS_MAX:,}, or nothing: for ever.", least=1, most=DAYS_MAX)
_NOTE: Final = (
    "With everything that belongs to it, an execution is deleted so many days after its end; empty keeps it"
    " for ever. Usage records stay, and whatever another execution's replay still needs."
)


def ask_retention(page: Asking) -> None:
    """Ask what holds, then for other numbers of days; what they delete is confirmed."""
    page.fetch(page.client.get_retention, partial(_show, page), name="retention")


def _show(page: Asking, found: Retention) -> None:
    fields = [
        Field("completed", "Completed", _text(found.completed_days), check=_DAYS),
        Field("cancelled", "Cancelled", _text(found.cancelled_days), check=_DAYS),
        Field("failed", "Failed", _text(found.failed_days), check=_DAYS),
    ]
    form = Form("Keep executions for so many days", fields, send="Set", note=_NOTE)
    page.dashboard.push_screen(form, partial(_answered, page, found))


def _answered(page: Asking, found: Retention, given: Mapping[str, str] | None) -> None:
    if given is None:
        return
    wanted = Retention(
        completed_days=_days(given["completed"]),
        cancelled_days=_days(given["cancelled"]),
        failed_days=_days(given["failed"]),
    )
    call = partial(page.client.set_retention, wanted)
    set_it = partial(page.act, "Set how long is kept", call, said="It is set.")
    before = (found.completed_days, found.cancelled_days, found.failed_days)
    after = (wanted.completed_days, wanted.cancelled_days, wanted.failed_days)
    if any(_shorter(new, old) for new, old in zip(after, before, strict=True)):
        page.ask(
            "Keep less than before?",
            "What is older is deleted at the next sweep, for good.",
            set_it,
            yes="Keep less",
        )
    else:
        set_it()


def _shorter(new: int | None, old: int | None) -> bool:
    return new is not None and (old is None or new < old)


def _text(days: int | None) -> str:
    return "" if days is None else str(days)


def _days(text: str) -> int | None:
    return int(text) if text.strip() else None
