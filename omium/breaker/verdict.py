"""Verdict: whether an error speaks against the provider that was called (execution.md, Breakers).

429, 5xx, timeouts and broken connections do. The caller's own mistakes (a bad request, a wrong key, a bug in
the step) never do, nor do Omium's own answers: they say nothing about the provider.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from omium.errorinfo import read_facts

_OMIUM = "omium.errors.OmiumError"
_STEP_TIMEOUT = "omium.errors.StepTimeout"
_STATUSES = frozenset({408, 429})
# Names that HTTP clients and model providers give to such errors; matched against the plain class names.
_NAME = re.compile(
    r"""(?: Time(?:d)?[oO]ut(?:Error|Exception|Expired)? | Timeout
          | (?:API)?Connect(?:ion)?(?:Error|Refused\w*|Reset\w*|Aborted\w*|Closed\w*|Timeout)
          | (?:Client|Server|Endpoint|New|Proxy)\w*Connect\w*Error | ServerDisconnected\w* | NetworkError
          | ReadError | WriteError | RemoteProtocolError | IncompleteRead\w* | BrokenPipeError | gaierror
          | RateLimit\w* | TooManyRequests\w* | Throttl\w* | ServiceUnavailable\w* | InternalServer\w*
          | Overloaded\w* | BadGateway\w* | GatewayTimeout\w* )$""",
    re.VERBOSE,
)
_ENDS_IN_TIMEOUT = re.compile(r"Timeout(?:Error|Exception)?$")


class Verdict(StrEnum):
    """What an error means to a breaker."""

    FAILED = "failed"
    IGNORED = "ignored"


def classify(error: BaseException | Mapping[str, object]) -> Verdict:
    """Return whether `error`, an exception or the JSON of an `ErrorInfo`, counts against the provider.

    A group of exceptions counts if one of its members does.
    """
    if isinstance(error, BaseExceptionGroup):
        failed = any(classify(each) is Verdict.FAILED for each in error.exceptions)
        return Verdict.FAILED if failed else Verdict.IGNORED
    facts = read_facts(error)
    if _OMIUM in facts.names:
        return Verdict.FAILED if _STEP_TIMEOUT in facts.names else Verdict.IGNORED
    if facts.status is not None:
        return Verdict.FAILED if facts.status in _STATUSES or facts.status >= 500 else Verdict.IGNORED
    if any("." not in name and (_NAME.match(name) or _ENDS_IN_TIMEOUT.search(name)) for name in facts.names):
        return Verdict.FAILED
    return Verdict.IGNORED
