"""The keys of the dashboard for docs/dashboard.md, made from the registry of actions.

    python tools/generate_dashboard_keys.py            writes the page's tables
    python tools/generate_dashboard_keys.py --check    exits with 1 where they are not current

tests/docs/test_tables.py runs the check.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.frame import Frame
from omium.tui.registry import DETAILS, PAGES, PageEntry

PAGE = Path(__file__).resolve().parent.parent / "docs" / "dashboard.md"
BEGIN, END = "<!-- keys: generated -->\n", "<!-- end of keys -->\n"


def render() -> str:
    """Return the tables."""
    parts = [_table("Everywhere", (*actions.EVERYWHERE, actions.PANES)), _table("In lists", actions.MOVEMENT)]
    known = {action.name for action in (*actions.EVERYWHERE, *actions.MOVEMENT)}
    parts += [_table(f"{page.key} {page.title}", _own(page.load(), known)) for page in PAGES]
    for prefix, place in DETAILS.items():
        detail = PageEntry("", "", "", place, "").load()
        parts += [_table(f"An id that begins with {prefix}_", _own(detail, known))]
    return "\n".join(part for part in parts if part)


def _own(page: type[Frame], known: set[str]) -> Sequence[Action]:
    return [action for action in page.ACTIONS if action.name not in known]


def _table(title: str, members: Sequence[Action]) -> str:
    if not members:
        return ""
    rows = [f"| `{_spell(action)}` | {action.help}{_note(action)} |" for action in members]
    return "\n".join([f"### {title}\n", "| key | does |", "|---|---|", *rows, ""])


def _spell(action: Action) -> str:
    return action.keys_text.replace("|", "\\|")


def _note(action: Action) -> str:
    notes = [
        note
        for note, holds in (("not with `--read-only`", action.changes), ("not in a browser", action.local))
        if holds
    ]
    return f" *({', '.join(notes)})*" if notes else ""


def main() -> int:
    """Write the tables, or check them."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    fresh = f"{before}{BEGIN}\n{render()}\n{END}{after}"
    if "--check" in sys.argv[1:]:
        return int(fresh != text)
    PAGE.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())
