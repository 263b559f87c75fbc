"""Capture: what a step prints and logs, kept with its record.

Owns the way from `print` and `logging` to the step that wrote it. As long as an execution is active, stdout
and stderr are wrapped: text still goes where it always went, and a copy to the frame it was written in, found
by context variable, so threads and tasks do not mix. Bounded per try, redacted before it is kept, and off
with `omium.init(capture=False)`.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, TextIO

from omium.redact import redact_text
from omium.sdk.context import find_line

LINES_MAX = 500
LINE_CHARS_MAX = 2000
TEXT_CHARS_MAX = 64 * 1024


class StepLog:
    """The newest lines that one try of a step wrote."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: deque[dict[str, object]] = deque(maxlen=LINES_MAX)
        self._partial: dict[str, str] = {}
        self._chars = 0
        self._dropped = 0

    def add(self, stream: str, text: str, level: str | None = None) -> None:
        """Keep `text`; of stdout and stderr, whole lines."""
        with self._lock:
            if stream == "log":
                self._keep(stream, text, level)
                return
            *whole, rest = (self._partial.get(stream, "") + text).split("\n")
            for line in whole:
                self._keep(stream, line, level)
            if len(rest) > LINE_CHARS_MAX:
                self._keep(stream, rest, level)
                rest = ""
            self._partial[stream] = rest

    def take(self) -> list[dict[str, object]]:
        """Return the lines as `models.execution.LogLine`, and begin anew."""
        with self._lock:
            for stream, rest in self._partial.items():
                if rest:
                    self._keep(stream, rest, None)
            self._partial.clear()
            lines = [*self._lines]
            if self._dropped and lines:
                note = {
                    "text": f"[{self._dropped} earlier lines were not kept]",
                    "level": None,
                    "stream": "log",
                }
                lines[0] = {**lines[0], **note}
            self._lines.clear()
            self._chars = self._dropped = 0
            return lines

    def _keep(self, stream: str, text: str, level: str | None) -> None:
        text = redact_text(text[:LINE_CHARS_MAX].replace("\x00", "\N{REPLACEMENT CHARACTER}"))[0]
        text = text.encode(errors="replace").decode()  # half characters cannot travel
        if len(self._lines) == LINES_MAX:
            self._drop()
        self._chars += len(text)
        self._lines.append({"at_us": time.time_ns() // 1000, "stream": stream, "level": level, "text": text})
        while self._chars > TEXT_CHARS_MAX:
            self._drop()

    def _drop(self) -> None:
        self._chars -= len(str(self._lines.popleft()["text"]))
        self._dropped += 1


class _Tee:
    """A stream that passes everything on, and a copy to the frame that wrote it."""

    def __init__(self, original: TextIO, name: str) -> None:
        self.original = original
        self._stream = name

    def write(self, text: str) -> int:
        """Write `text` where it always went; keep a copy for the step."""
        if (line := find_line()) is not None:
            line.add(self._stream, text)
        return self.original.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of `lines`."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class _Handler(logging.Handler):
    """Copies log records to the frame that logged them.

    Python prints warnings by itself as long as no handler is there. This one must not end that.
    """

    def emit(self, record: logging.LogRecord) -> None:
        self._print_as_before(record)
        line = find_line()
        if line is not None and not record.name.startswith("omium"):
            try:
                text = f"{record.name}: {self.format(record)}"
            except Exception:  # a boundary: the user's own arguments decide what formatting raises
                self.handleError(record)
            else:
                line.add("log", text, record.levelname.lower())

    def _print_as_before(self, record: logging.LogRecord) -> None:
        last = logging.lastResort
        if last is None or record.levelno < last.level:
            return
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return
            logger = logger.parent if logger.propagate else None
        stream = sys.stderr.original if isinstance(sys.stderr, _Tee) else sys.stderr
        print(last.format(record), file=stream)


_lock = threading.Lock()
_active = 0
_handler = _Handler()


def begin() -> None:
    """Wrap the streams from now on; counted, so that executions can overlap."""
    global _active  # noqa: PLW0603  # stdout and the root logger are process-wide too
    with _lock:
        _active += 1
        if _active == 1:
            sys.stdout = _Tee(sys.stdout, "stdout")
            sys.stderr = _Tee(sys.stderr, "stderr")
            logging.getLogger().addHandler(_handler)


def end() -> None:
    """Undo one `begin`; a stream that somebody replaced meanwhile stays theirs."""
    global _active  # noqa: PLW0603  # see begin
    with _lock:
        _active -= 1
        if _active == 0:
            logging.getLogger().removeHandler(_handler)
            if isinstance(sys.stdout, _Tee):
                sys.stdout = sys.stdout.original
            if isinstance(sys.stderr, _Tee):
                sys.stderr = sys.stderr.original
