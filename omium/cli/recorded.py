"""`omium executions output`: one recorded value whole, however large; tables and lists show small ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.ids import ExecutionId, find_execution_id
from omium.cli.steps import find_step_key
from omium.words import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omium.models.execution import Step
    from omium.sdk.sync_client import Client


@for_server
def show_output(
    common: Common,
    execution_id: ExecutionId,
    step: Annotated[str, typer.Argument(metavar="STEP", help="The step: key, name, or a part of it.")],
) -> None:
    """Print what a step returned, whole. Text as text, anything else as JSON.

    \b
    omium executions output last write
    omium executions output ex_01mcc5rm00ngqz8ctbd9ygs3xh research --json > research.json
    """
    with common.client() as client:
        wanted = find_execution_id(client, execution_id)
        recorded = client.get_step_value(wanted, path=find_step_key(client, wanted, step)).output
    if common.output.as_json:
        common.output.json(recorded)
    else:
        common.output.show(recorded if isinstance(recorded, str) else json_text(recorded, indent=2))


def with_whole_outputs(client: Client, execution_id: str, steps: Sequence[Step]) -> list[Step]:
    """Return `steps` with the outputs that were too large for a list; superseded ones stay without."""
    return [
        step.model_copy(update={"output": client.get_step_value(execution_id, path=step.key).output})
        if step.output is None and (step.output_size_bytes or 0) > _NULL_BYTES and step.superseded_seq is None
        else step
        for step in steps
    ]


_NULL_BYTES = 4  # `null` itself is whole
