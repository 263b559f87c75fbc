"""Raw spans: what both encodings of OTLP are read into, with nothing understood yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from omium.jsonvalue import JsonValue
from omium.server.db.light import light

SPANS_MAX: Final = 10_000
"""Spans of one request."""
ATTRIBUTES_MAX: Final = 512
"""Attributes of one span that are looked at."""
VALUES_DEPTH_MAX: Final = 16
CUT: Final = "… (cut)"
"""Stands where something was left out."""
TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8
STATUS_ERROR: Final = 2

Attributes = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where spans come from: the resource's attributes, and the name of the instrumentation."""

    resource: Attributes
    scope: str


@light(frozen=True, slots=True)
class RawSpan:
    """A span as it was sent; ids are hexadecimal, `parent_id` is empty at the root, times are nanoseconds."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_ns: int
    end_ns: int
    failed: bool
    status_message: str
    attributes: Attributes
    exceptions: list[Attributes]
    """Attributes of its events named `exception`, in order."""
    origin: Origin
    attributes_cut: int = 0
    """How many attributes it has beyond those that are looked at."""


class NotOtlp(ValueError):  # named after what happened, as everywhere
    """The body is none that OTLP describes; the text says where."""
