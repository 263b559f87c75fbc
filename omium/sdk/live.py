"""Live events: server-sent events taken out of lines, as far as our server uses that format."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event; `name` and `id` are empty where the server gave none."""

    name: str
    data: str
    id: str = ""


class LiveEventReader:
    """Takes events out of the lines of a stream (WHATWG HTML, section 9.2.6)."""

    def __init__(self) -> None:
        self._name = self._id = ""
        self._data: list[str] = []

    def feed(self, line: str) -> LiveEvent | None:
        """Read one line without its end; return the event that it ends, if any. Comments are dropped."""
        if not line:
            event = LiveEvent(self._name, "\n".join(self._data), self._id) if self._data else None
            self._name, self._id, self._data = "", "", []
            return event
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        elif field == "id":
            self._id = value
        return None
