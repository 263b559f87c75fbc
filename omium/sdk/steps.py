"""Steps: the life of one call, from "is it recorded already?" to the record (semantics 2.3 and 2.4).

Owns the order in which things happen to a step: lookup, fence, breaker, the user's function, the record, and
the next try after a failure. It is one flow, so sync and async steps cannot differ. What is written about a
try is attempts.py and effects.py; which record belongs to a call is book.py; streams are generators.py.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from omium.errors import Problem
from omium.jsonvalue import JsonValue, decode, json_bytes
from omium.sdk.attempts import Attempt, StepCall
from omium.sdk.book import Blocked, Entry, Reuse, Run
from omium.sdk.effects import EffectAttempt
from omium.sdk.exchange import exchange, parse_answer
from omium.sdk.flows import Flow, Invoke
from omium.sdk.pausing import wait_out


def run_step(call: StepCall) -> Flow[Any]:
    """Return the step's result: from its record, or by running it until it succeeds or fails for good."""
    yield from wait_out(call.driving, call.frame)
    found = look_up(call)
    if isinstance(found, Reuse):
        return (yield from recall(call, found.entry))
    attempt = make_attempt(call, found)
    failures = yield from count_failures(call, found)
    while True:
        try:
            recorded = yield from attempt.begin()
            if recorded is not None:
                return recorded.value
            with call.driving.running_path(attempt.path):
                result = yield Invoke(call.invoke, (attempt.frame,))
        except Exception as error:
            failures += 1
            delay_s = yield from attempt.fail(error, failures)
            if delay_s is None:
                raise
        except BaseException as error:
            yield from attempt.interrupt(error)
            raise
        else:
            yield from attempt.succeed(result)
            return result
        yield from attempt.wait(delay_s)
        attempt = attempt.next()


def make_attempt(call: StepCall, run: Run) -> Attempt:
    """Return the first try of a call that has to run."""
    return (Attempt if call.options.effect is None else EffectAttempt)(call, run)


def count_failures(call: StepCall, run: Run) -> Flow[int]:
    """Return how many tries of the retry policy a former claim has used up.

    Only on a worker: elsewhere a person resumes, which gives a fresh budget (semantics 2.1).
    """
    driving = call.driving
    if not (run.retried and driving.on_worker):
        return 0
    asked = f"/v1/executions/{driving.execution_id}/attempts?limit=200&path="
    try:
        path = asked + quote(run.identity.path, safe="")
        page = parse_answer((yield from exchange("GET", path, retry_for_s=60.0)))
    except Problem:  # a key that may not read: rather too few tries than endless ones
        return run.attempt - 1
    assert isinstance(page, dict)
    failures = 0
    for each in page["items"]:
        if each["generation"] == driving.generation:
            failures = 0 if each["delay_us"] is None else failures + 1
    return failures


def look_up(call: StepCall) -> Reuse | Run:
    """Say whether the call has to run, or suspend the branch where an effect may not."""
    call.driving.check(call.frame)
    options = call.options
    found = call.driving.book.look_up(
        call.frame.scope,
        call.identity,
        call.input.digest,
        effect=options.effect is not None,
        in_order=call.in_order,
        match=options.match,
    )
    if isinstance(found, Blocked):
        raise call.driving.suspension(
            "effect",
            f"stopped before {found.entry.path}: it was done already with another input, so it is not done "
            "again unasked",
        )
    return found


def recall(call: StepCall, entry: Entry) -> Flow[Any]:
    """Return what is recorded, fetching it (and what will probably be asked for next) if it's not here."""
    book = call.driving.book
    if not entry.inline:
        answer = yield from exchange(
            "POST",
            f"/v1/executions/{call.driving.execution_id}/records",
            json_bytes({"paths": list[JsonValue](book.list_missing(entry))}),
            retry_for_s=60.0,
        )
        values = parse_answer(answer)
        assert isinstance(values, dict)
        book.fill((value["path"], value.get("output")) for value in values["records"])
    return decode(book.take(entry), types=call.types)
