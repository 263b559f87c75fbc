"""Processes: who this process is, whether another one is gone for certain, and what a fork means.

Owns the identity that a driver hands in with its grant. On the same host a former driver that is provably
gone is replaced at once instead of after its lease (semantics 3.3); where nothing can be proved, the lease
decides.
"""

from __future__ import annotations

import os
import socket
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
_START_TICKS = 19  # field 22 of /proc/PID/stat, counted after the command's closing parenthesis (proc(5))


@dataclass(frozen=True, slots=True)
class Process:
    """A `models.execution.ProcessIdentity`. Empty `boot_id` or `pid_namespace`: comparable with nothing."""

    host_name: str
    boot_id: str
    pid_namespace: str
    pid: int
    started_ticks: int

    @property
    def comparable(self) -> bool:
        """Say whether the system told enough to tell this process from a later one with the same pid."""
        return bool(self.boot_id and self.pid_namespace)

    def to_json(self) -> dict[str, object]:
        """Return the identity as it travels."""
        return asdict(self)


def current_process(proc: Path = PROC) -> Process:
    """Return the identity of this process; asked anew after a fork."""
    pid = os.getpid()
    boot_id, namespace, ticks = _boot_id(proc), _pid_namespace(proc), _started_ticks(proc, pid)
    known = bool(boot_id and namespace and ticks is not None)
    return Process(
        host_name=socket.gethostname()[:200],
        boot_id=boot_id if known else "",
        pid_namespace=namespace if known else "",
        pid=pid,
        started_ticks=(ticks or 0) if known else 0,
    )


def is_gone(process: Process, proc: Path = PROC) -> bool | None:
    """Say whether `process` has ended for certain; None if this process cannot know.

    A process of another boot of this machine is not comparable either: boot ids do not say which machine they
    belong to. A zombie counts as gone: it will never run another instruction.
    """
    here = current_process(proc)
    same_place = (here.boot_id, here.pid_namespace) == (process.boot_id, process.pid_namespace)
    if not (process.comparable and here.comparable and same_place):
        return None
    stat = _stat(proc, process.pid)
    if stat is None:
        return not (proc / str(process.pid)).exists()
    state, ticks = stat
    return ticks != process.started_ticks or state in {"Z", "X"}


def _boot_id(proc: Path) -> str:
    try:
        return (proc / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _pid_namespace(proc: Path) -> str:
    try:
        return str((proc / "self/ns/pid").readlink())
    except OSError:
        return ""


def _started_ticks(proc: Path, pid: int) -> int | None:
    stat = _stat(proc, pid)
    return None if stat is None else stat[1]


def _stat(proc: Path, pid: int) -> tuple[str, int] | None:
    """Return (state, start time in clock ticks since boot) of `pid`, None if there is no such process."""
    try:
        text = (proc / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    after_command = text.rpartition(")")[2].split()  # the command may hold spaces and parentheses
    return (after_command[0], int(after_command[_START_TICKS])) if len(after_command) > _START_TICKS else None


class ForkReset:
    """Something that must not be shared with a forked child: connections, locks, queues.

    A subclass overrides `reset_after_fork`, which runs in the child before any of its code: it replaces locks
    that a thread of the parent may have held and drops, without a word on the wire, sockets that the parent
    goes on using.
    """

    __slots__ = ("__weakref__",)

    def reset_after_fork(self) -> None:
        """Forget what belongs to the parent."""

    def watch_forks(self) -> None:
        """Have `reset_after_fork` called in every forked child, for as long as this object lives."""
        _forgetful.add(self)


_forgetful: weakref.WeakSet[ForkReset] = weakref.WeakSet()


def _reset_all() -> None:
    for each in list(_forgetful):
        each.reset_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_reset_all)
