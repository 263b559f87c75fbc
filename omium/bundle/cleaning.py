"""What of an answer goes into a bundle: the copy for people, without secrets, as one line of JSON.

The server has masked and sealed what it noticed; the bundle leaves the house, so all of it is looked through
again, also for the key with which it was read. What was masked here is counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from omium.jsonvalue import JsonValue, json_bytes
from omium.redact import has_secret, redact


class Cleaner:
    """Makes bytes of models. `known_values` are secrets to mask wherever they stand."""

    def __init__(self, known_values: Iterable[str] = ()) -> None:
        self._known = tuple(known_values)
        self._known_bytes = tuple(json_bytes(known)[1:-1] for known in self._known)
        self.redacted = 0

    def clean(self, item: BaseModel, *, without: Iterable[str] = ()) -> bytes:
        """Return `item` as JSON on one line; the members that are named in `without` become null."""
        value: JsonValue = item.model_dump(mode="json")
        if isinstance(value, dict):
            for name in without:
                if name in value:
                    value[name] = None
        data = json_bytes(value)
        if not has_secret(value) and not any(known in data for known in self._known_bytes):
            return data
        masked, count = redact(value, self._known)
        self.redacted += count
        return json_bytes(masked)
