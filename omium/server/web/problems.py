"""Problems: whatever goes wrong becomes one `application/problem+json` answer that tells no internals.

Owns the translation of exceptions; the classes are in omium/errors. An unexpected exception is logged with
its traceback and the request's id, and the client sees only that id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from pydantic import ValidationError

from omium.errors import InternalError, InvalidRequest, OutcomeUnknown, Problem, Unauthenticated
from omium.logs import get_logger
from omium.server.web.call import Answer

MEDIA_TYPE = "application/problem+json"
ERRORS_SHOWN_MAX = 20
RETRY_AFTER_S = 1

log = get_logger(__name__)


def answer_problem(problem: Problem, request_id: str) -> Answer:
    """Return `problem` as an answer; retryable ones and 401 carry the header that says what to do."""
    body = json.dumps(
        {**problem.to_problem(), "request_id": request_id}, ensure_ascii=False, separators=(",", ":")
    )
    headers: dict[str, str] = {}
    if problem.status in {429, 503}:
        wait_s = problem.members.get("retry_after_s")
        headers["retry-after"] = str(wait_s if isinstance(wait_s, int) else RETRY_AFTER_S)
    if isinstance(problem, Unauthenticated) or problem.status == 401:
        headers["www-authenticate"] = 'Bearer realm="omium"'
    if problem.status == 405 and isinstance(allowed := problem.members.get("allowed"), list):
        headers["allow"] = ", ".join(str(method) for method in allowed)
    if problem.code == "credits-exhausted":
        body = body[:-1] + ',"error":"CREDITS_EXHAUSTED"}'
    return Answer(body.encode("utf-8", "replace"), problem.status, headers, MEDIA_TYPE)


def to_problem(error: Exception, request_id: str, where: str) -> Problem:
    """Return the problem that `error` is to the client; logs what is our own mistake."""
    if isinstance(error, Problem):
        if isinstance(error, OutcomeUnknown):
            log.warning("outcome unknown", request_id=request_id, endpoint=where, detail=error.detail)
        return error
    log.error("request failed", request_id=request_id, endpoint=where, exc_info=error)
    return InternalError(f"The server made a mistake; its log has the details under {request_id}.")


def invalid_request(error: ValidationError, root: str) -> InvalidRequest:
    """Return what pydantic found as pointers and sentences; never the values, which may be secrets."""
    errors: list[object] = [
        {"pointer": _pointer(root, entry["loc"]), "detail": entry["msg"]}
        for entry in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    shown = errors[:ERRORS_SHOWN_MAX]
    first = shown[0] if shown else {"pointer": root, "detail": "is not valid"}
    assert isinstance(first, dict)
    more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    return InvalidRequest(f"{first['pointer'] or '/'}: {first['detail']}{more}.", errors=shown)


def _pointer(root: str, location: Iterable[int | str]) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return root + "".join(f"/{part}" for part in parts)
