"""Following an execution's events as they happen, over lost connections and restarts of the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import typer

from omium.cli.ending import INTERRUPTED
from omium.cli.waiting import ask_patiently
from omium.errors import ConnectionLost
from omium.states import ENDED_STATUSES

if TYPE_CHECKING:
    from omium.cli.output import Output
    from omium.models.execution import Event
    from omium.sdk.sync_client import Client

_ENDS: Final = frozenset(f"execution.{status.value}" for status in ENDED_STATUSES)


def follow_events(output: Output, client: Client, execution_id: str, *, after: int) -> Iterator[Event]:
    """Yield the events after number `after` as they happen, until the execution has ended with the last.

    A server that is away is waited for, 5 minutes; nothing is left out and nothing comes twice.
    """
    detail = ask_patiently(output, lambda: client.get_execution(execution_id))
    while detail.status not in ENDED_STATUSES or after < detail.last_seq:
        try:
            for event in client.stream_execution_events(execution_id, after=after):
                after = event.seq
                yield event
                if event.type in _ENDS:
                    break  # a resume may have followed: the row tells
        except ConnectionLost:
            pass  # it was tried again, a few times; asking waits longer
        detail = ask_patiently(output, lambda: client.get_execution(execution_id))


@contextmanager
def until_interrupted() -> Iterator[None]:
    """End the command without a word at Ctrl-C: that is how somebody who looks on stops looking."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
