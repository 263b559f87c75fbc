"""Logs: structured lines on stderr, as JSON for machines or coloured for a terminal, without secrets.

Owns the format and the redaction of log lines. Values whose name speaks of a secret, and anything that looks
like an Omium key, are replaced before a line is written. Libraries that use the standard library's logging
come out the same way.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO, cast

from omium.later import hidden

with hidden("rich"):  # for tracebacks in colour, which we do not show: 4 MiB and a twentieth of a start
    import structlog

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor

LogFormat = Literal["auto", "json", "console"]

HIDDEN: Final = "[redacted]"
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:api_?key|authorization|cookie|passw(?:or)?d|pepper|secret|token)$", re.IGNORECASE
)
_SECRET_TEXT = re.compile(r"\bom_[a-z]+_[0-9A-Za-z_]{16,}|(?<=://)[^/\s:@]+:[^@\s]+(?=@)|(?i:bearer)\s+\S+")


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of the module `name`; it follows `configure_logs` whenever that is called."""
    # Not `logger=`: structlog before 26 has a parameter of that name.
    return cast("FilteringBoundLogger", structlog.get_logger(_logger_name=name))


def _name_logger(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Show the name given to `get_logger` as `logger`, as for the standard library's loggers."""
    if name := event.pop("_logger_name", None):
        event["logger"] = name
    return event


def configure_logs(log_format: LogFormat = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (stderr), one line each.

    `auto` is `console` on a terminal and `json` elsewhere. Raises ValueError for an unknown level.
    """
    target = stream or sys.stderr
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ValueError(f"{level!r} is no log level; take debug, info, warning or error")
    as_json = log_format == "json" or (log_format == "auto" and not target.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
    ]
    final: list[Processor] = (
        [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if as_json
        else [
            structlog.processors.format_exc_info,
            redact,
            structlog.dev.ConsoleRenderer(colors=target.isatty()),
        ]
    )
    structlog.configure(
        processors=[_name_logger, *shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING) if threshold > logging.DEBUG else threshold)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Replace what is secret by its name or by its form."""
    for name, value in event.items():
        if _SECRET_NAME.search(name) and value is not None:
            event[name] = HIDDEN
        elif isinstance(value, str):
            event[name] = redact_text(value)
    return event


def redact_text(text: str) -> str:
    """Return `text` with keys, bearer tokens and passwords in URLs replaced."""
    return _SECRET_TEXT.sub(HIDDEN, text)
