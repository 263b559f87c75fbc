"""Going on: who runs what is queued, running it in this terminal, and `resume` with its limits.

A page calls `resume(page, execution_id)`; flows call `say_who_goes_on` when they have queued something.
Running here suspends the dashboard and gives the terminal to `omium resume ID --here`, whose code may print
and ask whatever it likes; in a browser there is no such terminal, so it is not offered there.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from typing import Final

from textual.app import SuspendNotSupported

from omium.clock import US_PER_S
from omium.errors import OmiumError
from omium.models.driver import Grant
from omium.models.execution import CodeVersion, ExecutionDetail, ResumeAnswer, ResumeExecution, RunnerAnswer
from omium.money import parse_credits
from omium.states import ENDED_STATUSES, ExecutionStatus, PausedReason, Runner
from omium.tui.asking import Asking
from omium.tui.checks import credits_or_nothing, whole_number
from omium.tui.choosing import Choice, Choose
from omium.tui.content import safe
from omium.tui.dialogs import Field, Form, Reading
from omium.tui.own_log import OwnAction

_WHOLE: Final = whole_number("Write a whole number above zero, or nothing.", least=1)
_STATUSES_TO_RESUME: Final = frozenset(
    {ExecutionStatus.FAILED, ExecutionStatus.PAUSED, ExecutionStatus.WAITING}
)


def say_who_goes_on(
    page: Asking,
    execution_id: str,
    workflow: str,
    runner: RunnerAnswer,
    done: str,
    *,
    code: CodeVersion | None = None,
    opens: bool = True,
) -> None:
    """Say what was `done`, and who goes on; where nobody does, offer to run it in this terminal.

    `code` is the code that is known to have run it.
    """
    served = runner.runner is not Runner.NONE
    line = worker_line(workflow, runner, code)
    who = {
        Runner.WORKER: "A worker goes on with it.",
        Runner.ENGINE: "The server itself goes on with it.",
        Runner.NONE: f"No worker serves {workflow} yet, so it waits. Start one:\n\n  {line}\n\n"
        f"or run this one alone: omium resume {execution_id} --here",
    }[runner.runner]
    choices = [Choice("here", "Run it here, now", "in this terminal; the dashboard comes back afterwards")]
    if served or page.dashboard.in_browser:
        choices = []
    if opens:
        choices.append(Choice("open", "Look at it", execution_id))
    choices.append(Choice("stay", "Stay here"))

    def chosen(key: str | None) -> None:
        if key == "here":
            run_here(page, execution_id)
        elif key == "open":
            page.dashboard.open_id(execution_id)

    page.dashboard.push_screen(Choose(done, choices, details=who), chosen)


def worker_line(workflow: str, runner: RunnerAnswer, code: CodeVersion | None = None) -> str:
    """Return the command line that serves `workflow`, as far as it is known which code that is."""
    cwd = runner.cwd or (code.cwd if code else None)
    entrypoint = (code.entrypoint if code else None) or f"PATH.py:{workflow}"
    line = shlex.join(runner.command if "worker" in runner.command else ["omium", "worker", entrypoint])
    return f"cd {shlex.quote(cwd)} && {line}" if cwd else line


def run_here(page: Asking, execution_id: str) -> None:
    """Give the terminal to the execution's own code until it ends."""
    app = page.dashboard
    command = ["omium", "resume", execution_id, "--here", "--yes"]
    entry = app.own_log.begin(f"Run {execution_id} here")
    try:
        with app.suspend():
            _say(f"$ {shlex.join(command)}\n")
            code = _run([sys.executable, "-m", *command], _environment(page))
            ended = "It has ended." if code == 0 else f"It has ended with exit code {code}."
            _say(f"\n{ended} Press enter to go back to the dashboard. ")
            _wait_for_enter()
    except SuspendNotSupported:
        app.own_log.end(entry, "this terminal cannot be lent", failed=True)
        app.push_screen(Reading("Run it in another terminal", shlex.join(command)))
        return
    _note_end(page, entry, code, ended)
    app.refresh()
    page.load()


def _note_end(page: Asking, entry: OwnAction, code: int, ended: str) -> None:
    page.dashboard.own_log.end(entry, ended, failed=code != 0)
    page.dashboard.notify(ended, severity="information" if code == 0 else "warning", markup=False)


def _environment(page: Asking) -> dict[str, str]:
    """Return this process's environment, with the server and the key that the dashboard uses."""
    settings = page.client.settings
    chosen = {
        "OMIUM_BASE_URL": settings.base_url,
        "OMIUM_API_KEY": settings.api_key,
        "OMIUM_CA_FILE": settings.ca_file,
        "OMIUM_TLS_PIN": settings.tls_pin,
    }
    known = {name: value for name, value in os.environ.items() if name != "OMIUM_API_KEY_FILE"}
    return known | {name: str(value) for name, value in chosen.items() if value}


def _run(command: list[str], environment: Mapping[str, str]) -> int:
    try:
        return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 -- our own
    except KeyboardInterrupt:  # ctrl+c is the program's, which has ended by it
        return 130


def _say(text: str) -> None:
    stream = sys.__stdout__
    if stream is not None:
        stream.write(text)
        stream.flush()


def _wait_for_enter() -> None:
    if sys.__stdin__ is not None:
        try:
            sys.__stdin__.readline()
        except (OSError, KeyboardInterrupt):  # no terminal to wait for
            return


# ------------------------------------------------------------------------------------------- resume
def resume(page: Asking, execution_id: str) -> None:
    """Go on with an execution, keeping every recorded step; a limit that it is paused for is asked for."""
    page.fetch(lambda: page.client.get_execution(execution_id), partial(_resume_found, page), name="resume")


def _resume_found(page: Asking, detail: ExecutionDetail) -> None:
    app = page.dashboard
    if detail.status is ExecutionStatus.COMPLETED:
        app.notify("It is completed already; r replays it anew.", severity="warning", markup=False)
    elif detail.status is ExecutionStatus.PAUSED and detail.reason == PausedReason.LIMIT:
        _ask_limits(page, detail)
    elif detail.status in _STATUSES_TO_RESUME:
        _resume(page, detail, ResumeExecution())
    elif detail.runner.runner is Runner.NONE and detail.status not in ENDED_STATUSES:
        done = f"{detail.id} is {detail.status.value}"
        say_who_goes_on(page, detail.id, detail.workflow, detail.runner, done, code=detail.code, opens=False)
    else:
        app.notify(f"It is {detail.status.value}: there is nothing to resume.", severity="warning")


def _resume(page: Asking, detail: ExecutionDetail, command: ResumeExecution) -> None:
    def resumed(answer: Grant | ResumeAnswer) -> None:
        assert isinstance(answer, ResumeAnswer), "without a process to grant it to, it is queued"
        page.load()
        status = answer.execution.status.value
        if answer.runner is Runner.NONE:
            say_who_goes_on(
                page,
                detail.id,
                detail.workflow,
                answer,
                f"{detail.id} is {status}",
                code=detail.code,
                opens=False,
            )
        else:
            app = page.dashboard
            app.notify(f"{detail.id} is {status}; it goes on.", markup=False)

    page.act(f"Resume {detail.id}", lambda: page.client.resume_execution(detail.id, command), resumed)


def _ask_limits(page: Asking, detail: ExecutionDetail) -> None:
    fields = [
        Field("max_steps", "Most steps", placeholder="as it is", check=_WHOLE),
        Field("max_duration_s", "Longest time, seconds", placeholder="as it is", check=_WHOLE),
        Field("max_payload_bytes", "Most recorded, bytes", placeholder="as it is", check=_WHOLE),
        Field("max_credits", "Most credits in all", placeholder="as it is", check=credits_or_nothing),
        Field(
            "loop_limits",
            "Rounds of loops",
            placeholder="draft=10 review=5",
            help="Of a workflow from a document: LOOP=TIMES, with blanks between.",
            check=_check_loops,
        ),
    ]
    note = "It is paused because it reached a limit. Raise that limit; what stays empty stays as it is."

    def answered(values: Mapping[str, str] | None) -> None:
        if values is not None:
            _resume(page, detail, _read_limits(values))

    page.dashboard.push_screen(
        Form(f"Go on with {safe(detail.id)}", fields, send="Go on", note=note), answered
    )


def _read_limits(values: Mapping[str, str]) -> ResumeExecution:
    def whole(name: str) -> int | None:
        return int(values[name]) if values[name].strip() else None

    seconds = whole("max_duration_s")
    return ResumeExecution(
        max_steps=whole("max_steps"),
        max_duration_us=None if seconds is None else seconds * US_PER_S,
        max_payload_bytes=whole("max_payload_bytes"),
        max_microcredits=parse_credits(values["max_credits"]) if values["max_credits"].strip() else None,
        loop_limits=_read_loops(values["loop_limits"]),
    )


def _check_loops(text: str) -> str | None:
    try:
        ResumeExecution(loop_limits=_read_loops(text))
    except (ValueError, OmiumError):
        return "Write LOOP=TIMES, such as draft=10."
    return None


def _read_loops(text: str) -> dict[str, int]:
    """Return `draft=10 review=5` as a mapping; raises `ValueError`."""
    pairs = [pair.partition("=") for pair in text.split()]
    if any(not name or not equals for name, equals, _ in pairs):
        raise ValueError(text)
    return {name: int(times) for name, _, times in pairs}
