"""Task endings: what a worker says when a node's task has ended, well or not.

Owns the two reports, made ready before they are sent, so that a report that is sent again is the same. An
output without a JSON form, or too large to record, is a failure that another try would not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from omium.errorinfo import describe_exception
from omium.errors import EffectNotApplied, OmiumError
from omium.jsonvalue import TypeRegistry, json_bytes
from omium.sdk.attempts import RETRIED
from omium.sdk.exchange import exchange, parse_answer
from omium.sdk.flows import Flow
from omium.sdk.results import encode_bounded
from omium.sdk.task_beats import name_grant
from omium.sdk.task_context import TaskContext

TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class End:
    """One report: `error` is what is told, if it is a failure."""

    address: str
    body: bytes
    error: BaseException | None = None

    @property
    def failed(self) -> bool:
        """Whether it tells of a failure."""
        return self.error is not None

    def send(self, retry_for_s: float) -> Flow[Mapping[str, Any]]:
        """Send it until it is answered; raises `LeaseLostProblem` where it came too late."""
        answer = yield from exchange(
            "POST", self.address, self.body, timeout_s=TIMEOUT_S, retry_for_s=retry_for_s
        )
        parsed = parse_answer(answer)
        assert isinstance(parsed, dict)
        return parsed


def complete(context: TaskContext, output: object, types: TypeRegistry) -> End:
    """Return the report of a result; raises `Unserialisable` naming the node where it has no JSON form."""
    form = encode_bounded(f"The handler of the node {context.path}", output, types)
    return End("/v1/tasks/complete", json_bytes({**_end(context), "output": form}))


def fail(context: TaskContext, error: BaseException, *, retryable: bool | None = None) -> End:
    """Return the report of a failure; the node's policy decides unless the error says that nothing helps."""
    ours = isinstance(error, OmiumError) and not isinstance(error, RETRIED)
    if ours or not isinstance(error, Exception):  # what is no Exception is never retried (retry.py)
        retryable = False
    body = {
        **_end(context),
        "error": describe_exception(error).to_json(),
        "retryable": retryable,
        "not_applied": isinstance(error, EffectNotApplied),
    }
    return End("/v1/tasks/fail", json_bytes(body), error)


def _end(context: TaskContext) -> dict[str, Any]:
    return {
        **name_grant(context),
        "usage": context.take_usage(),
        "logs": context.take_lines(),
    }
