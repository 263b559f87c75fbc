"""Errors as data: what is recorded of an exception, and what decisions about it look at.

    model.py      `ErrorInfo`: type, message, code, frames, causes, notes, groups, all bounded; JSON both ways
    describe.py   from an exception to an `ErrorInfo`
    facts.py      names, code, HTTP status and Retry-After, for retry.py and breaker.py

Nothing here redacts: messages and traces go through omium/redact before they are stored. How errors are
grouped is fingerprint.py.
"""

from omium.errorinfo.describe import describe_exception
from omium.errorinfo.facts import ErrorFacts, parse_retry_after_s, read_facts
from omium.errorinfo.model import ErrorInfo, Frame

__all__ = ["ErrorFacts", "ErrorInfo", "Frame", "describe_exception", "parse_retry_after_s", "read_facts"]
