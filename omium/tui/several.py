"""Doing the same to one execution or to several at once: cancel, pause, resume.

Owns the question before it (several are confirmed by their number), the calls one after another, and the
words after it. What one of them answers does not keep the others from it; a lost server ends it, and what was
done before is said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from omium.errors import ConnectionLost, Problem
from omium.models.driver import Grant
from omium.models.execution import Execution, ResumeAnswer
from omium.sdk.async_client import AsyncClient
from omium.states import ENDED_STATUSES, RESUMABLE_STATUSES, Driver, ExecutionStatus, Runner
from omium.tui.asking import Asking
from omium.words import count

NAMED: Final = 8
"""So many are named one by one before they are only counted."""
_PAUSABLE: Final = frozenset({ExecutionStatus.QUEUED, ExecutionStatus.RUNNING, ExecutionStatus.WAITING})


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that is done to executions: `verb` and `done` name it, `statuses` say when it can be."""

    verb: str
    done: str
    statuses: frozenset[ExecutionStatus]
    call: Callable[[AsyncClient, str], Awaitable[Execution | ResumeAnswer | Grant]]
    warning: str = ""


CANCEL_IT: Final = Deed(
    "Cancel",
    "asked to stop",
    frozenset(ExecutionStatus) - ENDED_STATUSES,
    lambda client, execution_id: client.cancel_execution(execution_id),
    "That is final: what is cancelled can be replayed, not resumed.",
)
PAUSE_IT: Final = Deed(
    "Pause",
    "asked to pause",
    _PAUSABLE,
    lambda client, execution_id: client.pause_execution(execution_id),
    "The steps that run now end first; u goes on.",
)
RESUME_IT: Final = Deed(
    "Resume",
    "resumed",
    RESUMABLE_STATUSES,
    lambda client, execution_id: client.resume_execution(execution_id),
    "Every recorded step is kept.",
)


@dataclass(slots=True)
class Outcome:
    """What became of several."""

    done: list[str] = field(default_factory=list)
    unserved: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """Id to the server's sentence."""


def may_be_done(deed: Deed, execution: Execution) -> bool:
    """Say whether `deed` makes sense for `execution`; the server has the last word."""
    if execution.driver is Driver.OBSERVED or (deed is not RESUME_IT and execution.cancelling):
        return False
    return execution.status in deed.statuses


def do_it(page: Asking, deed: Deed, chosen: Sequence[Execution], then: Callable[[], None]) -> None:
    """Do `deed` to those of `chosen` to which it can be done; confirmed first but for a single pause."""
    fit = [each for each in chosen if may_be_done(deed, each)]
    if not fit:
        page.dashboard.notify(f"There is nothing to {deed.verb.lower()} here.", severity="warning")
        return
    left_out = len(chosen) - len(fit)
    ids = [each.id for each in fit]
    start = partial(_start, page, deed, ids, then)
    if len(fit) == 1 and deed is PAUSE_IT:
        start()
        return
    lines = [f"{each.id}  {each.status.value}  {each.workflow}" for each in fit[:NAMED]]
    if len(fit) > NAMED:
        lines.append(f"and {len(fit) - NAMED} more")
    if left_out:
        lines.append(f"Left out: {left_out}, which cannot be.")
    what = ids[0] if len(ids) == 1 else count(len(ids), "execution")
    details = "\n".join([deed.warning, "", *lines])
    several = len(fit) if len(fit) > 1 else None
    yes = f"{deed.verb} {'them' if several else 'it'}"  # a bare `Cancel` reads as leaving the question
    page.ask(f"{deed.verb} {what}?", details, start, yes=yes, count=several)


def _start(page: Asking, deed: Deed, ids: Sequence[str], then: Callable[[], None]) -> None:
    what = f"{deed.verb} {ids[0] if len(ids) == 1 else count(len(ids), 'execution')}"

    def ended(outcome: Outcome) -> None:
        _say(page, deed, outcome)
        then()

    page.act(what, partial(_do_all, page.client, deed, ids), ended)


async def _do_all(client: AsyncClient, deed: Deed, ids: Sequence[str]) -> Outcome:
    outcome = Outcome()
    for execution_id in ids:
        try:
            answer = await deed.call(client, execution_id)
        except Problem as problem:
            if problem.status == 401 or len(ids) == 1:
                raise
            outcome.refused[execution_id] = problem.detail
            continue
        except ConnectionLost as error:
            if not outcome.done:
                raise
            outcome.refused[execution_id] = str(error)
            break
        outcome.done.append(execution_id)
        if isinstance(answer, ResumeAnswer) and answer.runner is Runner.NONE:
            outcome.unserved.append(execution_id)
    return outcome


def _say(page: Asking, deed: Deed, outcome: Outcome) -> None:
    say = partial(page.dashboard.notify, markup=False)
    if outcome.done:
        what = outcome.done[0] if len(outcome.done) == 1 else count(len(outcome.done), "execution")
        say(f"{what}: {deed.done}.")
    if outcome.unserved:
        say(
            f"No worker serves {len(outcome.unserved)} of them yet. Start one: omium worker PATH.py",
            severity="warning",
            timeout=12,
        )
    for execution_id, sentence in list(outcome.refused.items())[:3]:
        say(f"{execution_id}: {sentence}", severity="error", timeout=12)
    if len(outcome.refused) > 3:
        say(f"{len(outcome.refused) - 3} more were refused.", severity="error", timeout=12)
