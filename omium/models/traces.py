"""Traces as OTLP answers them: names are OpenTelemetry's, not ours."""

from __future__ import annotations

from typing import Final

from omium.models.wire import Reply

TRACE_SPANS_MAX: Final = 5_000
"""So many spans of a trace are kept; further ones are refused."""


class PartialSuccess(Reply):
    """What was not taken, or only with a warning."""

    rejectedSpans: str = "0"  # noqa: N815  # OTLP's JSON names things so
    errorMessage: str = ""  # noqa: N815  # as above


class ExportedTraces(Reply):
    """The answer to spans; sent as protobuf where they came as protobuf."""

    partialSuccess: PartialSuccess | None = None  # noqa: N815  # as above
    """Only if something was refused or flagged."""
