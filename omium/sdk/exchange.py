"""Exchanges: one request that is sent until it is answered, or until there is no point in going on.

Owns what every request to the server has in common: what may be sent again and after how long, how an answer
becomes a problem or JSON, and the idempotency key that makes sending again safe. Does not do I/O (flows.py)
and does not know addresses (async_client.py, batch.py).
"""

from __future__ import annotations

import json
import random
import secrets
from typing import Final

from omium.clock import US_PER_S, Clock
from omium.errors import ConnectionLost, Problem, UnknownProblem, from_problem
from omium.sdk.flows import Flow, HttpAnswer, http, sleep
from omium.sdk.lease import SYSTEM_CLOCK

JSON_HEADERS: Final = {"content-type": "application/json"}
FIRST_DELAY_S: Final = 0.1
LAST_DELAY_S: Final = 2.0  # a server is back within a second or two; waiting longer would only add to that
RETRIED_STATUSES: Final = frozenset({408, 429, 502, 503, 504, 507})
"""Answers that another try can change, whoever gave them: a proxy's 502 is no problem document."""


def exchange(
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    idempotency_key: str | None = None,
    timeout_s: float = 30.0,
    retry_for_s: float = 0.0,
    clock: Clock = SYSTEM_CLOCK,
) -> Flow[HttpAnswer]:
    """Send a request until it is answered for good, for at most `retry_for_s`, and return a 2xx answer.

    The same bytes and the same idempotency key are sent each time, so a repeat of what had arrived changes
    nothing. Raises the problem that the server answered, or `ConnectionLost`.
    """
    deadline_us = clock.boot_us() + round(retry_for_s * US_PER_S)
    failures = 0
    while True:
        delay_s = backoff_s(failures)
        try:
            answer = yield from http(
                method,
                path,
                body,
                headers=JSON_HEADERS if body is not None else None,
                idempotency_key=idempotency_key,
                timeout_s=timeout_s,
            )
        except ConnectionLost:
            if clock.boot_us() + delay_s * US_PER_S >= deadline_us:
                raise
        else:
            if answer.status < 300:
                return answer
            problem = read_problem(answer)
            delay_s = max(delay_s, retry_after_s(answer, problem))
            if not may_retry(problem) or clock.boot_us() + delay_s * US_PER_S >= deadline_us:
                raise problem
        failures += 1
        yield from sleep(delay_s)


def new_idempotency_key() -> str:
    """Return a fresh key; made once per call of the user's, not once per try."""
    return secrets.token_hex(16)


def backoff_s(failures: int) -> float:
    """Return how long to wait after the `failures`-th failed try in a row (0 for the first), with jitter."""
    ceiling_s = min(FIRST_DELAY_S * 2.0 ** min(failures, 16), LAST_DELAY_S)
    return ceiling_s * random.uniform(0.5, 1.0)  # noqa: S311  # spreads clients, guards nothing


def read_problem(answer: HttpAnswer) -> Problem:
    """Return the problem in an answer that is not 2xx; what is no problem document keeps its status."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = None
    if isinstance(body, dict):
        return from_problem(body, answer.status)
    return UnknownProblem(
        f"Something that is not an Omium server answered {answer.status}; check OMIUM_BASE_URL and proxies.",
        code="",
        status=answer.status,
        retryable=answer.status in RETRIED_STATUSES,
        members={},
    )


def may_retry(problem: Problem) -> bool:
    """Say whether sending the same request again can end otherwise."""
    if isinstance(problem, UnknownProblem):
        return problem.server_retryable or problem.server_status in RETRIED_STATUSES
    return problem.retryable


def retry_after_s(answer: HttpAnswer, problem: Problem) -> float:
    """Return how long the server asked to wait, 0 if it did not say."""
    for told in (answer.headers.get("retry-after"), problem.members.get("retry_after_s")):
        try:
            return max(0.0, float(str(told)))
        except ValueError:  # an HTTP date, or nothing: the backoff is good enough
            continue
    return 0.0


def parse_answer(answer: HttpAnswer) -> object:
    """Return the JSON of a 2xx answer, None if it has no body; `ConnectionLost` if it is something else."""
    if not answer.body:
        return None
    try:
        return json.loads(answer.body)
    except ValueError as error:
        raise ConnectionLost(
            "What answered is not an Omium server: its reply is not JSON. Check OMIUM_BASE_URL."
        ) from error
