"""`omium logs`: what the steps of an execution printed and logged, all of it or as their steps end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final

import typer

from omium.cli.cells import Cell
from omium.cli.context import Common, for_server
from omium.cli.following import follow_events, until_interrupted
from omium.cli.ids import ExecutionId, find_execution_id
from omium.cli.steps import choose_key, fits_step
from omium.cli.waiting import ask_patiently
from omium.words import local_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from omium.cli.output import Output
    from omium.models.log import StepLogLine
    from omium.sdk.sync_client import Client

_STYLES: Final = {"stderr": "yellow", "omium": "dim", "ERROR": "red", "CRITICAL": "red", "WARNING": "yellow"}


@for_server
def show_logs(
    common: Common,
    execution_id: ExecutionId,
    step: Annotated[
        str | None, typer.Option("--step", help="Only what this step wrote: its key, name, or a part of it.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the execution ends.")] = False,
) -> None:
    """Show what an execution's steps printed and logged. In the order of time.

    A step's lines come with its end. With --follow and --json, one object per line.

    \b
    omium logs last
    omium logs last --follow
    omium logs ex_01mcc5rm00ngqz8ctbd9ygs3xh --step write --json
    """
    output = common.output
    with common.client() as client:
        wanted = find_execution_id(client, execution_id)
        if follow:
            with until_interrupted():
                for line in _follow(output, client, wanted, step):
                    show_line(output, line)
            return
        lines = _in_time(_list_lines(client, wanted))
    if step is not None:
        keys = dict.fromkeys(line.key for line in lines)
        chosen = choose_key({key: key for key in keys}, step, f"a step of {wanted} that wrote anything")
        lines = [line for line in lines if line.key == chosen]
    if output.as_json:
        output.json(lines)
        return
    if not lines:
        output.say(
            "Nothing was captured: no step printed or logged anything, or omium.init(capture=False) is used."
        )
    for line in lines:
        show_line(output, line)


def _follow(output: Output, client: Client, execution_id: str, step: str | None) -> Iterator[StepLogLine]:
    """Yield every line once: what is there, then what each event brings.

    The events are what is followed, because they are numbered without gaps and go on where a lost connection
    broke off; after each the lines of its step are asked for again, and those that were seen are left out.
    """
    from_seq = ask_patiently(
        output, lambda: client.get_execution(execution_id)
    ).last_seq  # before the lines: none of them is missed
    seen: Counter[str] = Counter()

    def unseen(path: str | None) -> Iterator[StepLogLine]:
        lines: dict[str, list[StepLogLine]] = {}
        for line in ask_patiently(output, lambda: _list_lines(client, execution_id, path)):
            lines.setdefault(line.key, []).append(line)
        new = [line for key, written in lines.items() for line in written[seen[key] :]]
        seen.update({key: len(written) - seen[key] for key, written in lines.items()})
        yield from (line for line in _in_time(new) if step is None or fits_step(line.key, step))

    yield from unseen(None)
    for event in follow_events(output, client, execution_id, after=from_seq):
        path = event.data.get("path") if isinstance(event.data, dict) else None
        if isinstance(path, str):
            yield from unseen(path)


def _list_lines(client: Client, execution_id: str, path: str | None = None) -> list[StepLogLine]:
    return list(client.each(client.list_logs, execution_id, path=path, limit=200))


def _in_time(lines: Iterable[StepLogLine]) -> list[StepLogLine]:
    return sorted(lines, key=lambda line: line.at_us)


def show_line(output: Output, line: StepLogLine) -> None:
    """Print a captured line."""
    if output.as_json:
        output.json_line(line)
        return
    style = _STYLES.get(line.level or "", _STYLES.get(line.stream, ""))
    at = Cell(local_time(line.at_us), "dim")
    output.line([at, Cell(line.key or "-", "cyan"), Cell(line.level or line.stream), Cell(line.text, style)])
