"""`omium logs`: what the steps of an execution printed and logged."""

from __future__ import annotations

from typing import Annotated

import typer

from omium.cli.cells import Cell
from omium.cli.context import make_common
from omium.cli.ids import ExecutionId, find_execution_id
from omium.cli.options import AsJson, BaseUrl, NoColor, ProfileName, Quiet
from omium.cli.steps import choose_key
from omium.cli.words import local_time

_STYLES = {"stderr": "yellow", "omium": "dim", "ERROR": "red", "CRITICAL": "red", "WARNING": "yellow"}


def show_logs(
    execution_id: ExecutionId,
    step: Annotated[
        str | None, typer.Option("--step", help="Only what this step wrote: its key, name, or a part of it.")
    ] = None,
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Show what an execution's steps printed and logged. In the order of time.

    \b
    omium logs last
    omium logs ex_01mcc5rm00ngqz8ctbd9ygs3xh --step write --json
    """
    common = make_common(base_url, profile, as_json=as_json, quiet=quiet, no_color=no_color)
    with common.client() as client:
        wanted = find_execution_id(client, execution_id)
        lines = sorted(client.each(client.list_logs, wanted, limit=200), key=lambda line: line.at_us)
    if step is not None:
        keys = dict.fromkeys(line.key for line in lines)
        chosen = choose_key({key: key for key in keys}, step, f"a step of {wanted} that wrote anything")
        lines = [line for line in lines if line.key == chosen]
    if as_json:
        common.output.json(lines)
        return
    if not lines:
        common.output.say(
            "Nothing was captured: no step printed or logged anything, or omium.init(capture=False) is used."
        )
    for line in lines:
        style = _STYLES.get(line.level or "", _STYLES.get(line.stream, ""))
        at = Cell(local_time(line.at_us), "dim")
        common.output.line(
            [at, Cell(line.key or "-", "cyan"), Cell(line.level or line.stream), Cell(line.text, style)]
        )
