"""What is done to failures: replay a group, ignore, resolve, answer what one waits for; for one or several.

    replay_groups(page, failures)     every open execution of each, confirmed by their number
    ignore(page, failures)            with a reason, for good or until something
    resolve(page, failures)
    answer(page, detail)              the decision that it waits for

Several groups are done one after another. What one of them answers does not keep the others from it, but
exhausted credits, a missing scope and a lost server end it; what was done before is said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from omium.clock import US_PER_S
from omium.errors import ConnectionLost, CreditsExhausted, OmiumError, Problem
from omium.models.failure import (
    Failure,
    FailureDetail,
    IgnoreFailure,
    ReplayedFailure,
    ReplayFailure,
    ResolveFailure,
)
from omium.models.replay import Edit
from omium.states import FailureKind, Runner
from omium.tui.asking import Asking
from omium.tui.choosing import Choice, Choose
from omium.tui.content import safe
from omium.tui.deciding import decide_effect
from omium.tui.dialogs import Field, Form
from omium.tui.going_on import resume, run_here
from omium.tui.rolling_back import skip_compensations
from omium.words import count, now_us

LIMIT_MAX: Final = 1_000
"""So many of a group are replayed by one request; the same again goes on."""
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_NAMED: Final = 6


@dataclass(slots=True)
class Outcome:
    """What became of several groups."""

    done: list[Failure] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    ended_by: OmiumError | None = None


# ------------------------------------------------------------------------------------------- replay a group
def replay_groups(page: Asking, failures: Sequence[Failure], edits: Sequence[Edit] = ()) -> None:
    """Replay every open execution of `failures`, after asking for their number."""
    opened = [each for each in failures if each.open_count]
    if not opened:
        page.dashboard.notify("Nothing of it is open.", severity="warning", markup=False)
        return
    executions = sum(min(each.open_count, LIMIT_MAX) for each in opened)
    details = "\n".join(
        [
            *_names(opened),
            "",
            "One after another, the first of a group alone: the others begin when it has completed, and it",
            "stops if they fail in the same way again. What was not replayed stays open.",
        ]
    )
    if edits:
        changed = ", ".join(f"{each.target} {each.path}" for each in edits)
        details += f"\nEach begins with the edited value of {changed}."
    page.ask(
        f"Replay {count(executions, 'execution')} of {count(len(opened), 'failure')}?",
        details,
        partial(_replay_groups, page, opened, list(edits)),
        yes="Replay",
        count=executions if executions > 1 else None,
    )


def _replay_groups(page: Asking, failures: Sequence[Failure], edits: list[Edit]) -> None:
    answers: list[ReplayedFailure] = []

    async def replay_one(failure: Failure) -> Failure:
        limit = min(max(failure.open_count, 1), LIMIT_MAX)
        command = ReplayFailure(limit=limit, edits=edits, reason="replayed as a group")
        answer = await page.client.replay_failure(failure.id, command)
        answers.append(answer)
        return answer.failure

    def say(outcome: Outcome) -> None:
        launched = sum(len(each.executions) for each in answers)
        running = sum(each.remaining for each in answers if each.batch and each.batch.status == "running")
        for each in answers:
            if each.batch is not None and each.batch.status == "stopped":
                page.dashboard.notify(
                    safe(f"{_named(each.failure)}: it stopped. {each.batch.stopped_reason or ''}"),
                    severity="error",
                    markup=False,
                    timeout=12,
                )
        if launched:
            more = f"; the server goes on with the other {running:,}" if running else ""
            page.dashboard.notify(f"{count(launched, 'replay')} started{more}.", markup=False)
        for each in answers:
            for execution_id, why in list(each.skipped.items())[:3]:
                page.dashboard.notify(
                    safe(f"{execution_id} was left out: {why}"), severity="warning", markup=False, timeout=12
                )
        _say_refused(page, outcome)

    _do_all(page, f"Replay {_what(failures)}", failures, replay_one, say)


# ------------------------------------------------------------------------------------------- ignore, resolve
def ignore(page: Asking, failures: Sequence[Failure]) -> None:
    """Close failures with a reason, for good or until something happens."""
    fields = [
        Field("reason", "Why (it is kept)", required=True),
        Field("until", "Only for so long", placeholder="12h, 3d, 2w", check=_check_span),
        Field("until_count", "Only for so many more", placeholder="10", check=_check_count),
        Field("until_new_code", "Only until the workflow's code changes", kind="flag"),
    ]
    note = "Without a limit, what is open is closed; what comes anew opens it again."

    def answered(values: Mapping[str, str] | None) -> None:
        if values is None:
            return
        seconds = read_span_s(values["until"])
        command = IgnoreFailure(
            reason=values["reason"],
            until_us=None if seconds is None else now_us() + seconds * US_PER_S,
            until_count=int(values["until_count"]) if values["until_count"].strip() else None,
            until_new_code=values["until_new_code"] == "true",
        )
        _confirm_several(
            page,
            "Ignore",
            failures,
            lambda failure: page.client.ignore_failure(failure.id, command),
            "is ignored",
        )

    page.dashboard.push_screen(Form(f"Ignore {_what(failures)}", fields, send="Ignore", note=note), answered)


def resolve(page: Asking, failures: Sequence[Failure]) -> None:
    """Close failures as dealt with; a new occurrence opens them again."""

    def answered(values: Mapping[str, str] | None) -> None:
        if values is not None:
            command = ResolveFailure(reason=values["reason"])
            _confirm_several(
                page,
                "Resolve",
                failures,
                lambda failure: page.client.resolve_failure(failure.id, command),
                "is resolved",
            )

    fields = [Field("reason", "What was done (it is kept)")]
    note = "It is closed as dealt with. A new occurrence opens it again."
    page.dashboard.push_screen(
        Form(f"Resolve {_what(failures)}", fields, send="Resolve", note=note), answered
    )


def _confirm_several(
    page: Asking,
    verb: str,
    failures: Sequence[Failure],
    call: Callable[[Failure], Awaitable[Failure]],
    ended: str,
) -> None:
    def say(outcome: Outcome) -> None:
        if len(outcome.done) == 1:
            page.dashboard.notify(safe(f"{_named(outcome.done[0])} {ended}."), markup=False)
        elif outcome.done:
            page.dashboard.notify(f"{count(len(outcome.done), 'failure')}: each {ended}.", markup=False)
        _say_refused(page, outcome)

    start = partial(_do_all, page, f"{verb} {_what(failures)}", failures, call, say)
    if len(failures) == 1:
        start()
    else:
        page.ask(
            f"{verb} {count(len(failures), 'failure')}?",
            "\n".join(_names(failures)),
            start,
            yes=verb,
            count=len(failures),
        )


# ------------------------------------------------------------------------------------------- answers
def answer(page: Asking, detail: FailureDetail) -> bool:
    """Ask for the decision that a failure waits for; False if it waits for none."""
    execution_id = detail.execution.id
    if not detail.retry_safe:
        decide_effect(page, execution_id)
        return True
    if detail.kind != FailureKind.COMPENSATION_FAILED:
        return False
    served = detail.runner.runner is not Runner.NONE
    again = Choice("again", "Try again", "now" if served else "in this terminal: no worker serves it")
    choices = [Choice("skip", "Leave it out", "what was done stays done")]
    if served or not page.dashboard.in_browser:
        choices.insert(0, again)

    def chosen(key: str | None) -> None:
        if key == "skip":
            skip_compensations(page, execution_id)
        elif key == "again":
            (resume if served else run_here)(page, execution_id)

    title = f"{detail.step} could not be compensated"
    page.dashboard.push_screen(Choose(title, choices, details=detail.message), chosen)
    return True


# ------------------------------------------------------------------------------------------- several
def _do_all(
    page: Asking,
    what: str,
    failures: Sequence[Failure],
    call: Callable[[Failure], Awaitable[Failure]],
    say: Callable[[Outcome], None],
) -> None:
    async def work() -> Outcome:
        outcome = Outcome()
        for each in failures:
            try:
                outcome.done.append(await call(each))
            except (ConnectionLost, Problem) as error:
                if len(failures) == 1:
                    raise
                if isinstance(error, ConnectionLost | CreditsExhausted) or error.status in (401, 403):
                    outcome.ended_by = error
                    break
                outcome.refused.append(f"{_named(each)}: {error}")
        return outcome

    def ended(outcome: Outcome) -> None:
        say(outcome)
        if outcome.ended_by is not None:
            page.dashboard.tell(
                outcome.ended_by, f"{len(outcome.done)} of {len(failures)} were done, then it ended"
            )
        page.load()

    page.act(what, work, ended)


def _say_refused(page: Asking, outcome: Outcome) -> None:
    for sentence in outcome.refused[:3]:
        page.dashboard.notify(safe(sentence), severity="error", timeout=12, markup=False)
    if len(outcome.refused) > 3:
        page.dashboard.notify(f"{len(outcome.refused) - 3} more were refused.", severity="error", timeout=12)


def _what(failures: Sequence[Failure]) -> str:
    return failures[0].id if len(failures) == 1 else count(len(failures), "failure")


def _named(failure: Failure) -> str:
    return f"{failure.workflow}: {failure.step or failure.error_type}"


def _names(failures: Sequence[Failure]) -> list[str]:
    lines = [f"{_named(each)}  {each.error_type}, {each.open_count:,} open" for each in failures[:_NAMED]]
    return [*lines, f"and {len(failures) - _NAMED} more"] if len(failures) > _NAMED else lines


def read_span_s(text: str) -> int | None:
    """Return the seconds of `12h` or `3d`, None for nothing; raises `ValueError`."""
    text = text.strip()
    if not text:
        return None
    number, unit = text[:-1].strip(), text[-1]
    if unit not in _UNITS_S or not (number.isascii() and number.isdigit() and 0 < len(number) <= 6):
        raise ValueError(text)
    return int(number) * _UNITS_S[unit]


def _check_span(text: str) -> str | None:
    try:
        read_span_s(text)
    except ValueError:
        return "Write a number and s, m, h, d or w, such as 12h."
    return None


def _check_count(text: str) -> str | None:
    good = not text.strip() or (text.strip().isascii() and text.strip().isdigit() and int(text[:9]) > 0)
    return None if good else "Write a whole number above zero, or nothing."
