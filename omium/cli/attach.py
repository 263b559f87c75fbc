"""`omium attach`: the runs that a framework stored itself, looked at where they are.

Reads LangGraph's SQLite saver. What a run says is omium/adapters/attach/; nothing is asked of a server, and
nothing is stored.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli import words
from omium.cli.context import Common, for_this_machine
from omium.cli.table import Column

if TYPE_CHECKING:
    from omium.adapters.attach import Thread


@for_this_machine
def attach(
    common: Common,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file of LangGraph's SqliteSaver.")],
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help="At most so many, newest first.")
    ] = 50,
) -> None:
    """Show the runs in a LangGraph SQLite checkpoint file.

    It is only read: nothing in it or beside it changes, and a graph may run meanwhile. Of a graph's state
    nothing is shown.

    \b
    omium attach checkpoints.sqlite
    omium attach checkpoints.sqlite --limit 500 --json
    """
    from omium.adapters.attach import list_threads

    threads = list_threads(path, limit=limit)
    if common.output.as_json:
        common.output.json({"items": [asdict(thread) for thread in threads]})
        return
    at_present_us = words.now_us()
    common.output.table(
        [
            Column("THREAD", lambda t: t.thread_id),
            Column("STATE", lambda t: t.state.value),
            Column(
                "UPDATED", lambda t: "" if t.updated_us is None else words.ago(t.updated_us, at_present_us)
            ),
            Column("CHECKPOINTS", lambda t: str(t.checkpoints), align="right"),
            Column("LAST", lambda t: ", ".join(t.last_nodes)),
            Column("WHY", _why, spare=1),
        ],
        threads,
        empty="No runs: nothing has been written with this checkpointer.",
    )
    if len(threads) == limit:
        common.output.say(f"The newest {limit:,}; see more with --limit.")


def _why(thread: Thread) -> str:
    if thread.error_type or thread.error_message:
        where = f"{thread.failed_node}: " if thread.failed_node else ""
        return (
            f"{where}{thread.error_type}: {thread.error_message}"
            if thread.error_type
            else where + thread.error_message
        )
    return thread.note or (f"next: {', '.join(thread.next_nodes)}" if thread.next_nodes else "")
