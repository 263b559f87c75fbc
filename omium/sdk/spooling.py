"""The spool of this process: what its relaxed executions record, and when that is sent.

Owns the files that this process writes, their bounds, and the sending of those and of what dead processes
left. Never stops or breaks the user's code: a spool that is full or cannot be written ends the *recording* of
an execution, for good and with a warning. The folder is spool_folder.py, what is sent and what answers mean
is draining.py, the thread that sends is sender.py.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any, Final

from omium.clock import Clock
from omium.config import Settings
from omium.errors import ConnectionLost, EffectUnavailable
from omium.ids import new_id
from omium.jsonvalue import json_bytes
from omium.sdk.batch import ENDINGS
from omium.sdk.draining import Drained, Entry, drain, encode_entry, encode_start, read_entries
from omium.sdk.flows import Ports, drive_sync
from omium.sdk.lease import SYSTEM_CLOCK, Lease
from omium.sdk.process import ForkReset
from omium.sdk.spool import SpoolFile
from omium.sdk.spool_bounds import EXECUTION_BYTES_MAX, HOST_BYTES_MAX, SpoolBounds
from omium.sdk.spool_folder import SpoolFolder

_LAST: Final = ENDINGS | {"recording.gapped"}  # nothing goes on behind these without the server

SENT_AT_EXIT_S: Final = 1.0  # a script without its server should not seem to hang at its end

_log = logging.getLogger("omium")


@dataclass(slots=True, eq=False)
class _Live:
    """A file of this process. It goes away when the execution has ended, all is sent and nobody appends."""

    file: SpoolFile
    execution_id: str
    leases: dict[tuple[int, str], Lease] = field(default_factory=dict)
    sending: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    ended: bool = False
    closed: bool = False


class Spool(ForkReset):
    """Records relaxed executions on this machine and sends them. Safe to use from several threads."""

    def __init__(
        self,
        settings: Settings,
        ports: Ports,
        *,
        clock: Clock = SYSTEM_CLOCK,
        bounds: tuple[int, int] = (EXECUTION_BYTES_MAX, HOST_BYTES_MAX),
    ) -> None:
        self.folder: Final = SpoolFolder(settings)
        self._ports = ports
        self._clock = clock
        self._bytes_max = bounds
        self._begin()
        self.watch_forks()

    def _begin(self) -> None:
        self._guard = threading.Lock()
        self._leftovers = threading.Lock()  # a resume waits for what the background is sending already
        self._live: dict[str, _Live] = {}
        self._start = secrets.token_hex(8)
        self._bounds = SpoolBounds(self.folder.path, *self._bytes_max)

    def reset_after_fork(self) -> None:
        """Close the parent's files here, which leaves it their locks, and begin with files of our own."""
        for live in self._live.values():
            live.file.close()
        self._begin()

    def start(self, lease: Lease, body: bytes) -> None:
        """Record a start that was made while the server was away; `body` is a StartExecution as JSON."""
        self._record(lease, encode_start(body, lease), ends=False)

    def append(self, lease: Lease, write_type: str, body: bytes) -> None:
        """Record a driver write; it is on the disk when this returns, or recording has ended for good."""
        if lease.recording_gap is None:
            self._record(lease, encode_entry(write_type, body, lease), ends=write_type in ENDINGS)

    def pending(self, lease: Lease) -> bool:
        """Say whether something of the execution has not reached the server yet."""
        live = self._live.get(lease.execution_id)
        return live is not None and not live.file.is_drained()

    def drain(self, lease: Lease, within_s: float, *, ends: bool = False) -> None:
        """Send what this process holds of the execution, before something that needs the server.

        With `ends` the file goes away when all is sent: what follows is the last word, and not for the spool.
        Raises `ConnectionLost` if that is not done `within_s`, `EffectUnavailable` after a recording gap.
        """
        if lease.recording_gap is not None:
            raise EffectUnavailable(
                f"Execution {lease.execution_id} is not recorded any more ({lease.recording_gap}): an effect"
                " would leave no trace, so it was not called."
            )
        live = self._live.get(lease.execution_id)
        if live is not None:
            live.ended = live.ended or ends
            done = self._send_live(live, within_s)
            if done.kept is not None:
                raise done.kept

    def send_live(self, within_s: float = 0.0) -> bool:
        """Send what this process holds, once by default; say whether everything has reached the server."""
        done = [self._send_live(live, within_s) for live in list(self._live.values())]
        return all(each.kept is None for each in done)

    def send_leftovers(self, execution_id: str | None = None, within_s: float = 0.0) -> Drained:
        """Send what dead processes left of an execution, or of all; once by default.

        What this process holds of that execution goes first.
        """
        live = self._live.get(execution_id) if execution_id is not None else None
        total = self._send_live(live, within_s) if live is not None else Drained()
        if total.kept is not None:
            return total  # what comes later waits for it
        with self._leftovers:
            self._send_dead(execution_id, within_s, total)
        return total

    def _send_dead(self, execution_id: str | None, within_s: float, total: Drained) -> None:
        for path in self.folder.list_paths(execution_id):
            taken = self.folder.take_over(path)  # our own files are locked, by us
            if taken is None:
                continue
            file, owner_id = taken
            done = self._send(file, owner_id, {}, within_s)
            total.sent, total.rejected = total.sent + done.sent, total.rejected + done.rejected
            total.kept = total.kept or done.kept
            if done.kept is not None:
                file.close()
                if isinstance(done.kept, ConnectionLost):
                    break
            elif file.damaged:
                self.folder.put_aside(file)
            else:
                file.remove()

    def adopt(self, execution_id: str) -> list[tuple[str, dict[str, Any]]] | None:
        """Take over what a dead process recorded of an execution that it began while the server was away.

        Returns (type, body) of its start and its writes, in order, and goes on with the file. None if there
        is no such file, or if a part of the execution is elsewhere: at the server, in another file, nowhere.
        """
        with self._leftovers:
            paths = self.folder.list_paths(execution_id)
            taken = self.folder.take_over(paths[0]) if len(paths) == 1 else None
            if taken is None:
                return None
            file, _ = taken
            found = [] if file.damaged else _decode(file)
            if not found or found[0][0] != "start" or any(kind in _LAST for kind, _ in found):
                file.close()
                return None
            file.adopt()
            with self._guard:
                self._live[execution_id] = _Live(file, execution_id)
            return found

    def close(self, within_s: float = SENT_AT_EXIT_S) -> None:
        """Send what can be sent quickly and let go; what is left is for the next process."""
        with self._guard:
            closing, self._live = self._live, {}
        for live in closing.values():
            self._send_live(live, within_s)
            with live.sending:
                if not live.closed:
                    live.closed = True
                    (live.file.remove if live.file.is_drained() else live.file.close)()

    def _record(self, lease: Lease, frame: bytes, *, ends: bool) -> None:
        live: _Live | None = None
        try:
            live = self._enter(lease)
            why = self._bounds.why_full(live.file.size_bytes, len(frame))
            if not why:
                live.file.append(frame)
                live.ended = live.ended or ends
        except OSError as error:
            why = f"the spool in {self.folder.path} cannot be written ({error})"
        if why:
            self._stop_recording(lease, live, why)
        if live is not None:
            with self._guard:
                live.users -= 1

    def _enter(self, lease: Lease) -> _Live:
        """Return the execution's file, which stays open until `users` is counted down again."""
        with self._guard:
            live = self._live.get(lease.execution_id)
            if live is None:
                file = self.folder.create(lease.execution_id, self._start, self._clock.now_us())
                live = self._live[lease.execution_id] = _Live(file, lease.execution_id)
            if live.leases.get((lease.epoch, lease.token)) is not lease:
                live.leases[lease.epoch, lease.token] = lease  # the driver's own, which has to hear answers
                live.ended = False  # it was resumed
            live.users += 1
            return live

    def _stop_recording(self, lease: Lease, live: _Live | None, why: str) -> None:
        """Stop for good: a resume could not trust what would come after a gap."""
        with lease.lock:
            if lease.recording_gap is not None:
                return
            lease.recording_gap = why
        _log.warning("Execution %s is not recorded any more: %s.", lease.execution_id, why)
        message = f"Recording ended: {why}. A resume goes on from what was recorded before."
        gapped = json_bytes(
            {
                "type": "recording.gapped",
                "id": new_id("oc", self._clock.now_us()),
                "error": {"type": "RecordingGap", "message": message},
            }
        )
        if live is not None:
            try:
                live.file.append(encode_entry("recording.gapped", gapped, lease))  # small: may pass the bound
            except OSError as error:
                _log.warning("The gap of execution %s could not be recorded: %s", lease.execution_id, error)

    def _send_live(self, live: _Live, within_s: float) -> Drained:
        with live.sending:
            if live.closed or (live.file.is_drained() and not live.ended):
                return Drained()
            done = self._send(live.file, live.execution_id, live.leases, within_s)
            with self._guard:
                if live.ended and live.users == 0 and live.file.is_drained():
                    self._live.pop(live.execution_id, None)
                    live.closed = True
                    live.file.remove()
        return done

    def _send(
        self, file: SpoolFile, execution_id: str, leases: dict[tuple[int, str], Lease], within_s: float
    ) -> Drained:
        def find_lease(epoch: int, token: str) -> Lease:
            return leases.get((epoch, token)) or leases.setdefault(
                (epoch, token), Lease(execution_id, epoch, token, 0)
            )

        def reject(entry: Entry, error: Exception) -> None:
            self.folder.reject(file, entry, error)

        flow = drain(
            read_entries(file.unsent(), find_lease),
            within_s=within_s,
            clock=self._clock,
            acknowledge=file.acknowledge,
            reject=reject,
        )
        try:
            done = drive_sync(flow, self._ports)
        except (OSError, ValueError) as error:  # the disk, or a frame that this key does not open
            done = Drained(kept=error)
        if done.kept is not None and not isinstance(done.kept, ConnectionLost):
            _log.warning("Records of execution %s stay in the spool: %s", execution_id, done.kept)
        return done


def _decode(file: SpoolFile) -> list[tuple[str, dict[str, Any]]]:
    entries = read_entries(file.unsent(), lambda epoch, token: Lease("", epoch, token, 0))
    return [(entry.write_type or entry.kind, json.loads(entry.body)) for entry in entries]
