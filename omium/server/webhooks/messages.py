"""Messages: what is sent to a target, and what its reply means.

    task.requested    do this node: the reply, or a later callback, carries its output
    task.cancel       stop doing it: nothing that is said of it counts for the node any more
    webhook.tested    nothing at all: `omium webhooks test`

The form is the one that Standard Webhooks recommends: type, timestamp, data.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from omium.clock import US_PER_S
from omium.errorinfo import ErrorInfo
from omium.errors import InvalidJson
from omium.jsonvalue import JsonValue, json_bytes, parse_json
from omium.models.tasks import Task
from omium.models.webhook import TaskSaid

CALLBACK_PATH: Final = "/v1/tasks/callback"
SAID_BYTES_MAX: Final = 9 * 2**20
"""Of a reply or a callback: the largest value that can be recorded, and what is around it."""
ACCEPTED: Final = 202
NO_CONTENT: Final = 204


class ReplyInvalid(Exception):
    """The target answered 2xx with something that cannot be understood; the message says what."""


def make_message(kind: str, now_us: int, data: Mapping[str, JsonValue]) -> bytes:
    """Return the body of a message."""
    at = datetime.fromtimestamp(now_us / US_PER_S, UTC).isoformat().replace("+00:00", "Z")
    return json_bytes({"type": kind, "timestamp": at, "data": dict(data)})


def request_task(task: Task, now_us: int) -> bytes:
    """Return the message that asks for a node to be done."""
    data = task.model_dump(mode="json", exclude={"lease_s", "heartbeat_s"})
    return make_message("task.requested", now_us, {**data, "callback_path": CALLBACK_PATH})


def cancel_task(execution_id: str, path: str, epoch: int, now_us: int) -> bytes:
    """Return the message that tells a target to stop."""
    data: dict[str, JsonValue] = {"execution_id": execution_id, "path": path, "epoch": epoch}
    return make_message("task.cancel", now_us, data)


def read_reply(status: int, body: bytes, *, complete: bool) -> TaskSaid | None:
    """Return what a 2xx reply says; None where the target will call back. Raises `ReplyInvalid`."""
    if status == ACCEPTED:
        return None
    if status == NO_CONTENT or (not body and complete):
        return TaskSaid(output=None)
    if not complete:
        raise ReplyInvalid("The webhook's reply is larger than what can be recorded.")
    try:
        return TaskSaid.model_validate(parse_json(body))
    except InvalidJson as error:
        raise ReplyInvalid(f"The webhook's reply is no JSON: {error.detail}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ReplyInvalid(
            f"The webhook's reply is not understood: {place} {first['msg']}. It is "
            '{"output": …} or {"error": {"message": …}}; or 202, and a callback later.'
        ) from error


def describe(error: object) -> dict[str, object]:
    """Return what a target says of its error as an ErrorInfo; text is its message."""
    given = error if isinstance(error, Mapping) else {"message": str(error)}
    message = given.get("message")
    form = {"type": "WebhookFailed", **given, "message": str(message) if message else "The webhook failed."}
    return ErrorInfo.from_json(form).to_json()


def failure(kind: str, code: str, message: str, **more: object) -> dict[str, object]:
    """Return the ErrorInfo of a push that came to nothing."""
    return ErrorInfo.from_json({"type": kind, "code": code, "message": message, **more}).to_json()
