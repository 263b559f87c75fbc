"""Signals: user code waits to be told something by name (`omium signal`), for as long as it takes.

Owns the step that stands for it: what it gives is what the signal brought, recorded as any step's output, so
a resume does not ask again. While there is none the execution is handed back as soon as nothing else of it
runs, and costs no process; the server lets it go on when somebody has sent one. Which signal is whose is the
server's: a step that asks again after a crash is given the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from omium.errors import ConfigError
from omium.jsonvalue import JsonValue, decode, input_record, json_bytes
from omium.sdk.attempts import StepCall
from omium.sdk.book import Reuse, Run
from omium.sdk.calling import find_active_frame
from omium.sdk.context import Frame
from omium.sdk.driving import NAP_S
from omium.sdk.flows import Flow, drive_async, drive_sync
from omium.sdk.options import make_step_options
from omium.sdk.pausing import wait_out
from omium.sdk.steps import look_up, make_attempt, recall
from omium.states import WaitingReason

FIRST_NAP_S: Final = 0.05
SHOWN_CHARACTERS_MAX: Final = 4_000


def wait_for_signal(name: str, question: object = None, *, key: str | None = None) -> Any:
    """Return what the next signal called `name` brings; recorded, so that it is asked for once.

    `question` is shown to whoever looks at the execution: text, or anything with a JSON form. `key` tells
    calls of one name apart that do not come in the same order every time. Where nothing has been sent yet the
    execution waits without a process: raises `Waits`, which user code lets through. Raises `ConfigError`
    outside an execution.
    """
    frame = _require_frame(name)
    return drive_sync(wait_for(ask(frame, name, question, key)), frame.driving.link.ports)


async def await_for_signal(name: str, question: object = None, *, key: str | None = None) -> Any:
    """Return what the next signal called `name` brings, as `wait_for_signal` does, from async code."""
    frame = _require_frame(name)
    return await drive_async(wait_for(ask(frame, name, question, key)), frame.driving.link.async_ports())


def _require_frame(name: str) -> Frame:
    frame = find_active_frame()
    if frame is None:
        raise ConfigError(
            f"There is no execution here that the signal {name!r} could be sent to: wait for it in a function"
            " under @omium.workflow, or in a step of one."
        )
    return frame


@dataclass(frozen=True, slots=True)
class Asked:
    """A signal that a step waits for."""

    call: StepCall
    name: str
    shown: Mapping[str, object]
    """Its name and question as JSON, for people."""


def ask(
    frame: Frame, name: str, question: object = None, key: str | None = None, *, step: str | None = None
) -> Asked:
    """Return what is asked, with its place among the steps: that is allotted now, before any await.

    `step` is the name of the step that stands for it, by default the signal's own.
    """
    driving = frame.driving
    driving.lease.require()
    _refuse_effect(frame, name)
    types = driving.link.types
    recorded = input_record({"name": name, "question": question}, types=types)
    # What is asked may be put otherwise the next time; it is the same question by its place.
    options = make_step_options(step or f"signal-{name}", match="name")
    identity = frame.scope.allot(options.name, key)
    call = StepCall(frame, options, identity, recorded, frame.in_order, types, _never)
    return Asked(call, name, {"name": name, "question": shorten(recorded.json.get("question"))})


def _refuse_effect(frame: Frame | None, name: str) -> None:
    """Refuse to wait inside of an effect: nobody could tell afterwards whether it has happened."""
    while frame is not None:
        if frame.effect_key is not None:
            raise ConfigError(
                f"The signal {name!r} cannot be waited for inside of {frame.scope.path}, which is an effect:"
                " wait for it before that step begins."
            )
        frame = frame.parent


def shorten(question: JsonValue) -> JsonValue:
    """Return what is shown of a question: all of it, or how it begins."""
    text = question if isinstance(question, str) else json_bytes(question).decode()
    left = len(text) - SHOWN_CHARACTERS_MAX
    return question if left <= 0 else f"{text[:SHOWN_CHARACTERS_MAX]}… {left:,} more characters"


def wait_for(asked: Asked) -> Flow[Any]:
    """Return what the signal brings, recorded or now; raises `Waits` where the execution is handed back."""
    found = yield from _find(asked, waits=True)
    assert found is not None, "it waits until there is one"
    return found[0]


def find(asked: Asked) -> Flow[tuple[Any] | None]:
    """Return what the signal has brought, recorded or now; None where there is none yet."""
    return (yield from _find(asked, waits=False))


def _find(asked: Asked, *, waits: bool) -> Flow[tuple[Any] | None]:
    call = asked.call
    yield from wait_out(call.driving, call.frame)
    known = look_up(call)
    if isinstance(known, Reuse):
        return ((yield from recall(call, known.entry)),)
    return (yield from _take(asked, known, waits=waits))


def _take(asked: Asked, run: Run, *, waits: bool) -> Flow[tuple[Any] | None]:
    attempt = make_attempt(asked.call, run)
    try:
        yield from attempt.begin()
        given = yield from _receive(asked, attempt.path, waits=waits)
    except BaseException as error:
        yield from attempt.interrupt(error)
        raise
    if given is None:
        return None
    value = decode(given.get("payload"), types=asked.call.types)
    yield from attempt.succeed(value)
    return (value,)


def _receive(asked: Asked, path: str, *, waits: bool) -> Flow[Mapping[str, Any] | None]:
    driving, frame, nap_s = asked.call.driving, asked.call.frame, FIRST_NAP_S
    by = f"{path}{_tell_attempts(frame)}"
    with driving.awaiting(path, asked.shown):
        while True:
            outcome = yield from driving.write({"type": "signal.asked", "path": by, "name": asked.name})
            given: Mapping[str, Any] | None = outcome.result.get("signal")
            if given is not None or not waits:
                return given
            if nap_s > FIRST_NAP_S:  # at the first look another branch may stand between two steps
                driving.leave_if_idle(path, WaitingReason.SIGNAL, _told(driving.execution_id, asked.name))
            yield from driving.pause(nap_s, frame)
            yield from wait_out(driving, frame)
            nap_s = min(2 * nap_s, NAP_S)


def _tell_attempts(frame: Frame | None) -> str:
    """Return what tells the tries of the steps around apart: an answer to a failed one is not the next's."""
    attempts = []
    while frame is not None:
        attempts.append(frame.attempt)
        frame = frame.parent
    return "@" + ".".join(map(str, reversed(attempts))) if max(attempts) > 1 else ""


def _told(execution_id: str, name: str) -> str:
    return f"the signal {name}; send it with: omium signal {execution_id} {name} --data JSON"


def _never(_frame: Frame) -> object:
    raise AssertionError("a signal is taken, nothing is called")
