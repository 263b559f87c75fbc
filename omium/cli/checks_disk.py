"""Checks of the disk under a data folder: room, and whether what is synced can be trusted to stay.

Only a power cut shows what a disk really keeps. What can be seen without one is here: the kind of file
system, mount options and preloaded libraries that switch syncing off, and a sync that comes back faster
than any disk writes. `omium doctor --chaos` tries the rest.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from omium.cli.findings import Finding
from omium.words import count, size

FREE_FAIL_BYTES: Final = 64 * 2**20
FREE_WARN_BYTES: Final = 1 * 2**30
FREE_FILES_WARN: Final = 1_000
SYNC_SLOW_S: Final = 0.1
SYNC_TOO_FAST_S: Final = 15e-6  # disks with a battery behind their cache answer in 20 µs or more
SYNCS: Final = 15
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_ON_A_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})
_UNSAFE_OPTIONS: Final = frozenset({"nobarrier", "barrier=0", "volatile", "sync=disabled"})
_UNSAFE_LIBRARIES: Final = ("eatmydata", "nosync")


@dataclass(frozen=True, slots=True)
class Mount:
    """The file system that holds a folder; empty where the system does not say."""

    kind: str = ""
    options: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Syncs:
    """How long it took to make 4 KiB durable, several times over."""

    median_s: float
    slowest_s: float


def check_disk(folder: Path) -> Iterator[Finding]:
    """Look at the disk under `folder`."""
    yield from _check_room(folder)
    if not os.access(folder, os.W_OK):
        return
    mount = find_mount(folder)
    try:
        syncs = measure_syncs(folder)
    except OSError as error:
        yield Finding(
            "fail",
            "Durability",
            f"cannot write and sync in {folder}: {error.strerror}",
            "Use another disk: --data",
        )
        return
    yield judge_durability(folder, mount, syncs, os.environ.get("LD_PRELOAD", ""))


def judge_durability(folder: Path, mount: Mount, syncs: Syncs, preloaded: str) -> Finding:
    """Return what `mount` and `syncs` say about whether `folder` keeps what it was told to keep."""
    where = f" on {mount.kind}" if mount.kind else ""
    took = (
        f"a sync takes {duration(syncs.median_s)}, the slowest of {SYNCS} {duration(syncs.slowest_s)}{where}"
    )
    if mount.kind in _IN_MEMORY:
        return _warn(f"{folder} is in memory ({mount.kind}): lost at a restart", "Use a disk: --data")
    if mount.kind in _ON_A_NETWORK:
        return _warn(
            f"{folder} is on a network ({mount.kind}): locks may not hold", "Use a local disk: --data"
        )
    if unsafe := mount.options & _UNSAFE_OPTIONS:
        return Finding(
            "fail",
            "Durability",
            f"it is mounted with {', '.join(sorted(unsafe))}: a sync does not reach the disk",
            "Mount it without, or use another disk: --data",
        )
    if any(name in preloaded for name in _UNSAFE_LIBRARIES):
        return Finding(
            "fail",
            "Durability",
            f"LD_PRELOAD names {preloaded}, which leaves syncs out",
            "Start without it: unset LD_PRELOAD",
        )
    if syncs.median_s < SYNC_TOO_FAST_S:
        return _warn(
            f"{took}: faster than disks write, so a cache answers",
            "Unless that cache has a battery, let syncs through to the disk (virtual machines: cache=none)",
        )
    if syncs.median_s > SYNC_SLOW_S:
        return _warn(f"{took}: every write will be as slow", "Use a faster disk: --data")
    return Finding("ok", "Durability", took)


def measure_syncs(folder: Path) -> Syncs:
    """Append to a file in `folder` as a database's log does, and sync each time; raises `OSError`."""
    probe = folder / f".doctor-{secrets.token_hex(6)}"
    sync = getattr(os, "fdatasync", os.fsync)
    took: list[float] = []
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            for _ in range(SYNCS):
                began = time.perf_counter()
                os.write(descriptor, b"omium doctor !!\n" * 256)
                sync(descriptor)
                took.append(time.perf_counter() - began)
        finally:
            os.close(descriptor)
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return Syncs(statistics.median(took), max(took))


def find_mount(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> Mount:
    """Return the file system that holds `folder`."""
    best, found = -1, Mount()
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return found
    for line in lines:
        _, at, kind, options, *_ = line.split(" ")
        at = at.replace("\\040", " ")
        if folder.resolve().is_relative_to(at) and len(at) >= best:
            best, found = len(at), Mount(kind, frozenset(options.split(",")))
    return found


def duration(seconds: float) -> str:
    """Return a short time with the digits that matter: `14 µs`, `0.6 ms`, `23 ms`."""
    if seconds < 100e-6:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"


def _check_room(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    level: Literal["ok", "warn", "fail"] = (
        "fail" if free < FREE_FAIL_BYTES else "warn" if free < FREE_WARN_BYTES else "ok"
    )
    remedy = "" if level == "ok" else "Free some space, or move the folder"
    yield Finding(level, "Free space", f"{size(free)} left for {folder}", remedy)
    status = os.statvfs(folder)
    if status.f_files > 0 and status.f_favail < FREE_FILES_WARN:
        yield Finding(
            "warn",
            "Free files",
            f"the disk can hold only {count(status.f_favail, 'more file')}",
            "Remove some",
        )


def _warn(detail: str, remedy: str) -> Finding:
    return Finding("warn", "Durability", detail, remedy)
