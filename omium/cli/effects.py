"""`omium executions effects|compensations`, `omium decide`: side effects, and what nobody knows of them."""

from __future__ import annotations

from typing import Annotated

import typer

from omium.cli.cells import state
from omium.cli.context import Common, for_server
from omium.cli.detail import show_effects
from omium.cli.ending import WrongUse
from omium.cli.ids import ExecutionId, find_execution_id
from omium.cli.inputs import read_value
from omium.cli.options import Yes
from omium.cli.steps import find_effect
from omium.cli.table import Column
from omium.states import EffectDecision

_MEANS = {
    EffectDecision.CONFIRM: "it happened, and is not done again",
    EffectDecision.REDO: "it did not happen, and is done again",
    EffectDecision.SKIP: "it is left out",
}


@for_server
def list_effects(common: Common, execution_id: ExecutionId) -> None:
    """List the side effects that an execution announced. With what is known of each.

    \b
    omium executions effects last
    """
    with common.client() as client:
        wanted = find_execution_id(client, execution_id)
        effects = list(client.each(client.list_effects, wanted, limit=200))
    if common.output.as_json:
        common.output.json(effects)
        return
    show_effects(
        common.output,
        effects,
        empty="It announced no side effect: no step of it is marked @omium.step(effect=True).",
    )
    for effect in effects:
        if effect.state == "unknown":
            common.output.say(
                f"Did {effect.key} happen? Decide: omium decide {wanted} {effect.key} confirm|redo|skip"
            )


@for_server
def list_compensations(common: Common, execution_id: ExecutionId) -> None:
    """List the compensations of an execution's rollbacks. In the order in which they run.

    \b
    omium executions compensations last
    """
    with common.client() as client:
        wanted = find_execution_id(client, execution_id)
        found = list(client.each(client.list_compensations, wanted, limit=200))
    if common.output.as_json:
        common.output.json(found)
        return
    common.output.table(
        [
            Column("ROLLBACK", lambda c: str(c.generation - 1), align="right", spare=2),
            Column("STEP", lambda c: c.key, give="cut", width_min=16),
            Column("STATUS", lambda c: state(c.status)),
            Column("RUNS", lambda c: c.compensate, give="cut"),
            Column("TRIES", lambda c: str(c.attempt), align="right", spare=1),
            Column("WHY", lambda c: str((c.error or {}).get("message", "")), give="fold", spare=3),
        ],
        found,
        empty="Nothing is compensated: it was not rolled back, or past no effect with `compensate`.",
    )


@for_server
def decide(
    common: Common,
    execution_id: ExecutionId,
    step: Annotated[
        str, typer.Argument(metavar="STEP", help="The effect's step: key, name, or a part of it.")
    ],
    decision: Annotated[EffectDecision, typer.Argument(help="What became of it, or shall.")],
    output: Annotated[
        str | None,
        typer.Option("--output", metavar="JSON|@FILE", help="With confirm or skip: the step's result."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it's kept.")] = "",
    yes: Yes = False,
) -> None:
    """Decide about an effect with an unknown outcome.

    confirm: it happened (--output is what it returned). redo: it did not, do it again. skip: leave it out.

    \b
    omium decide last charge confirm --output '{"charge_id": "ch_42"}' --reason "seen at the bank"
    omium decide ex_01mcc5rm00ngqz8ctbd9ygs3xh charge redo
    """
    from omium.models.replay import DecideEffect

    if output is not None and decision is EffectDecision.REDO:
        raise WrongUse("--output goes with confirm or skip: a redo makes its own result.")
    command = DecideEffect(
        decision=decision, output=None if output is None else read_value(output), reason=reason
    )
    with common.client() as client:
        wanted = find_execution_id(client, execution_id)
        effect = find_effect(client, wanted, step)
        if decision is EffectDecision.REDO and common.output.interactive:
            common.output.confirm(f"Do {effect.key} again? If it did happen, it happens twice.", yes=yes)
        decided = client.decide_effect(wanted, effect.effect_key, command)
    if common.output.as_json:
        common.output.json(decided)
    else:
        common.output.say(f"{decided.key}: {_MEANS[decision]}. Go on: omium resume {wanted}")
