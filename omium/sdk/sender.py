"""The thread that sends the spool while relaxed executions run, and what dead processes left before.

Owns when: as soon as something waits, and with growing pauses while the server is away. A daemon: it never
keeps a process alive, and what it had no time for is sent at exit or by the next process.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from omium.sdk.exchange import backoff_s
from omium.sdk.process import ForkReset
from omium.sdk.spooling import Spool

PAUSE_S_MAX: Final = 10.0

_log = logging.getLogger("omium")


class Sender(ForkReset):
    """Sends `spool` in the background once `wake` was called."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self.reset_after_fork()
        self.watch_forks()

    def reset_after_fork(self) -> None:
        """Begin without a thread: the parent's is not here."""
        self._news = threading.Event()
        self._stopping = False
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Say that something waits; the first call starts the thread."""
        self._news.set()
        with self._guard:
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="omium-spool", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Let the thread end after what it is sending now."""
        self._stopping = True
        self._news.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        failures = 0
        leftovers = True
        while not self._stopping:
            self._news.clear()
            try:
                everything = self._spool.send_live()
                if everything and leftovers:
                    self._spool.send_leftovers()
                    leftovers = False
            except Exception:  # a bug here must not end the sending, nor reach the user's code
                _log.exception("The spool could not be sent.")
                everything = False
            failures = 0 if everything else failures + 1
            self._news.wait(None if everything else min(backoff_s(failures) * 5, PAUSE_S_MAX))
