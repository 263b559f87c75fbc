"""Structure: how much of it a protobuf body has, counted before it is read.

An empty message takes two bytes of a body and up to two hundred of memory once it is read, so that 16 MiB of
them would take gigabytes. JSON has such bounds of its own (omium/jsonvalue/limits.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from omium.server.traces.wire import NotOtlp

SMALL_BYTES: Final = 2**20
"""A body of so many bytes is not looked at: whatever it holds takes little."""
FIELDS_MAX: Final = 3_000_000
DEPTH_MAX: Final = 200
"""Messages inside each other; protobuf itself reads 100."""
_VARINT_BYTES_MAX: Final = 10
_ENDS: Final = "The body is no ExportTraceServiceRequest: it ends before its end."


@dataclass(slots=True)
class _Message:
    """A kind of message: its fields that are messages, by number, and for how many fields one counts."""

    weight: int = 1
    fields: dict[int, _Message] = field(default_factory=dict)


def _make_request() -> _Message:
    """Return the kinds of messages of OTLP's ExportTraceServiceRequest that repeat."""
    value = _Message()
    pair = _Message(fields={2: value})
    value.fields |= {5: _Message(fields={1: value}), 6: _Message(fields={1: pair})}
    scope = _Message(fields={3: pair})
    event, link = _Message(fields={3: pair}), _Message(fields={4: pair})
    span = _Message(weight=20, fields={9: pair, 11: event, 13: link, 15: _Message()})
    of_scope = _Message(weight=10, fields={1: scope, 2: span})
    of_resource = _Message(weight=10, fields={1: _Message(fields={1: pair}), 2: of_scope})
    return _Message(fields={1: of_resource})


_REQUEST: Final = _make_request()


def check_structure(body: bytes) -> None:
    """Raise `NotOtlp` where `body` has more fields than are read, or ends in the middle of one."""
    if len(body) <= SMALL_BYTES:
        return
    count, at, end, fields = 0, 0, len(body), _REQUEST.fields
    around: list[tuple[int, dict[int, _Message]]] = []
    while True:
        if at == end:
            if not around:
                return
            end, fields = around.pop()
            continue
        tag = body[at]
        tag, at = (tag, at + 1) if tag < 128 else _read_number(body, at, end)
        count += 1
        form = tag & 7
        if form == 2:  # a text, bytes or a message
            size, at = _read_number(body, at, end)
            if at + size > end:
                raise NotOtlp(_ENDS)
            inner = fields.get(tag >> 3)
            if inner is None:
                at += size
            else:
                count += inner.weight
                around.append((end, fields))
                end, fields = at + size, inner.fields
        elif form == 0:
            _, at = _read_number(body, at, end)
        elif form in (1, 5):
            at += 8 if form == 1 else 4
        elif form > 5:  # 3 and 4 are around fields that nobody knows
            raise NotOtlp("The body is no ExportTraceServiceRequest: it has a field of no known form.")
        if at > end:
            raise NotOtlp(_ENDS)
        if count > FIELDS_MAX or len(around) > DEPTH_MAX:
            raise NotOtlp(
                f"The body holds more than {FIELDS_MAX:,} fields, or values deeper than {DEPTH_MAX};"
                " send fewer spans at a time."
            )


def _read_number(body: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the number that begins at `at`, and where it ends."""
    number = 0
    for place in range(min(_VARINT_BYTES_MAX, end - at)):
        part = body[at + place]
        if part < 128:  # mostly the first
            return number | part << (7 * place), at + place + 1
        number |= (part & 127) << (7 * place)
    raise NotOtlp(_ENDS)
