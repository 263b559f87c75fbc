"""`omium approvals list|approve|reject` and `omium signal`: what executions of specs wait to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.ids import ExecutionId, find_execution_id
from omium.cli.inputs import read_value
from omium.cli.table import Column
from omium.words import ago, local_time, now_us

if TYPE_CHECKING:
    from omium.models.approval import Approval
    from omium.sdk.sync_client import Client

app = typer.Typer(help="Decide what waits for a person.", no_args_is_help=True, rich_markup_mode=None)

Node = Annotated[
    str | None,
    typer.Argument(
        metavar="[NODE]", help="Which of its approvals, where several wait: omium approvals list."
    ),
]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Kept with the decision.")]


@app.command("list")
@for_server
def list_approvals(common: Common) -> None:
    """List what waits for a person, the oldest first.

    \b
    omium approvals list
    """
    with common.client() as client:
        found = list(client.each(client.list_approvals, limit=200))
    if common.output.as_json:
        common.output.json(found)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("EXECUTION", lambda a: a.execution_id, give="id"),
            Column("NODE", lambda a: a.path, give="cut", width_min=8),
            Column("WORKFLOW", lambda a: a.workflow, give="cut", spare=1),
            Column("ASKS", lambda a: a.message, give="cut", width_min=16),
            Column("SINCE", lambda a: ago(a.asked_at_us, at_us)),
            Column("UNTIL", lambda a: local_time(a.expires_at_us) if a.expires_at_us else "", spare=2),
        ],
        found,
        empty="Nothing waits for a person.",
    )


@app.command("approve")
@for_server
def approve(common: Common, execution_id: ExecutionId, node: Node = None, comment: Comment = "") -> None:
    """Approve what waits; the execution goes on.

    \b
    omium approvals approve last
    omium approvals approve ex_01mcc5rm00ngqz8ctbd9ygs3xh publish -m "read and fine"
    """
    _decide(common, execution_id, node, "approved", comment)


@app.command("reject")
@for_server
def reject(common: Common, execution_id: ExecutionId, node: Node = None, comment: Comment = "") -> None:
    """Reject what waits; the workflow says what follows.

    \b
    omium approvals reject last -m "the second source is missing"
    """
    _decide(common, execution_id, node, "rejected", comment)


@for_server
def signal(
    common: Common,
    execution_id: ExecutionId,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The signal, as the spec names it.")],
    data: Annotated[
        str | None, typer.Option("--data", metavar="JSON|@FILE", help="What comes with it.")
    ] = None,
    signal_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The same id is one signal, however often sent.")
    ] = None,
) -> None:
    """Tell an execution something by name. A node or step that waits for it goes on.

    \b
    omium signal last paid
    omium signal ex_01mcc5rm00ngqz8ctbd9ygs3xh paid --data '{"amount": 90}' --id invoice-42
    """
    from omium.ids import new_id
    from omium.models.approval import SendSignal

    command = SendSignal(
        name=name,
        signal_id=signal_id or new_id("sg", now_us()),
        payload=None if data is None else read_value(data),
    )
    with common.client() as client:
        wanted = find_execution_id(client, execution_id)
        sent = client.send_signal(wanted, command)
    if common.output.as_json:
        common.output.json(sent)
    elif sent.taken_by is not None:
        common.output.say(f"{sent.taken_by} of {wanted} has taken it.")
    elif sent.fresh:
        common.output.say(f"{wanted} keeps it until a node or step asks for {name}.")
    else:
        common.output.say(f"{wanted} has it already.")


def _decide(
    common: Common,
    execution_id: str,
    node: str | None,
    decision: Literal["approved", "rejected"],
    comment: str,
) -> None:
    from omium.models.approval import DecideApproval

    with common.client() as client:
        wanted = find_execution_id(client, execution_id)
        path = _find_path(client, wanted, node)
        decided = client.decide_approval(
            wanted, DecideApproval(path=path, decision=decision, comment=comment)
        )
    if common.output.as_json:
        common.output.json(decided)
    else:
        common.output.say(f"{path} of {wanted} is {decision}; the execution is {decided.status}.")


def _find_path(client: Client, execution_id: str, node: str | None) -> str:
    """Return the path of the approval that is meant: the only one that waits, unless it's named."""
    found: list[Approval] = [
        each
        for each in client.each(client.list_approvals, limit=200)
        if each.execution_id == execution_id and node in {None, each.path, each.node}
    ]
    if len(found) == 1:
        return found[0].path
    if node is not None and not found:
        return node  # the server says why not: decided already, expired, unknown
    if not found:
        raise WrongUse(f"Nothing in {execution_id} waits for a person. Look: omium approvals list")
    waiting = ", ".join(each.path for each in found)
    raise WrongUse(f"Several approvals wait in {execution_id}: {waiting}. Name one of them.")
