"""Checks of this machine: installation, configuration, spool, and a server's data folder if it is here."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import secrets
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import omium
from omium.cli.words import count, size
from omium.config import config_folder, find_other_distribution, load_settings, read_config
from omium.errors import ConfigError
from omium.folders import data_folder

FREE_FAIL_BYTES: Final = 64 * 2**20
FREE_WARN_BYTES: Final = 1 * 2**30
FSYNC_WARN_S: Final = 0.1
SQLITE_MIN: Final = (3, 35, 0)  # RETURNING
SPOOL_WARN_BYTES: Final = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and what to do about it."""

    level: Literal["ok", "warn", "fail"]
    name: str
    detail: str
    remedy: str = ""


def check_installation() -> Iterator[Finding]:
    """Look at versions, the optional frameworks, and another distribution that overwrites ours."""
    python = platform.python_version()
    yield Finding(
        "ok", "Omium", f"{omium.__version__} on Python {python}, {platform.system()} {platform.machine()}"
    )
    other = find_other_distribution()
    if other is not None:
        yield Finding(
            "fail",
            "Distribution",
            f"another one called `omium` is installed ({other}) and shares our folder",
            "pip uninstall omium, then: pip install --force-reinstall --no-deps omium-os",
        )
    missing = [name for name in ("httpx", "pydantic", "starlette", "typer", "uvicorn") if not _version(name)]
    if missing:
        yield Finding(
            "fail", "Packages", f"missing: {', '.join(missing)}", "pip install --force-reinstall omium-os"
        )
    frameworks = {name: _version(name) for name in ("crewai", "langgraph", "sematic", "semantic-kernel")}
    found = [f"{name} {version}" for name, version in frameworks.items() if version]
    yield Finding("ok", "Frameworks", ", ".join(found) or "none here (plain Python works without)")
    if sqlite3.sqlite_version_info < SQLITE_MIN:
        yield Finding(
            "fail",
            "SQLite",
            f"{sqlite3.sqlite_version}; the server needs {'.'.join(map(str, SQLITE_MIN))} or newer",
            "Use a newer Python build, or PostgreSQL: omium serve --database postgresql://…",
        )
    else:
        yield Finding("ok", "SQLite", sqlite3.sqlite_version)


def check_configuration(base_url: str | None, profile: str | None) -> Iterator[Finding]:
    """Look at the configuration file, who may read it, and what the settings come to."""
    folder = config_folder()
    try:
        file = read_config(folder)
        settings = load_settings(base_url=base_url, profile=profile)
    except ConfigError as error:
        yield Finding("fail", "Configuration", str(error).rstrip("."), "Correct it, or run: omium init")
        return
    if not file.path.exists():
        yield Finding("ok", "Configuration", f"no file {file.path}: environment and defaults hold")
    else:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if os.name == "posix" and mode & 0o022:
            yield Finding(
                "warn", "Configuration", f"others may write into {folder} ({mode:04o})", f"chmod 700 {folder}"
            )
        profiles = ", ".join(sorted(file.profiles)) or "none"
        yield Finding("ok", "Configuration", f"{file.path}, profile {settings.profile} of {profiles}")
    source = settings.sources.get("base_url", "default")
    yield Finding("ok", "Address", f"{settings.base_url} (from {source})")


def check_spool() -> Iterator[Finding]:
    """Look at what still waits to be sent, and what the server refused."""
    from omium.sdk.spool_folder import list_spooled

    folder = config_folder() / "spool"
    found = list(list_spooled(folder)) if folder.is_dir() else []
    waiting = [length for _, rejected, length in found if not rejected]
    refused = [name for name, rejected, _ in found if rejected]
    if waiting:
        level: Literal["ok", "warn"] = "warn" if sum(waiting) > SPOOL_WARN_BYTES else "ok"
        yield Finding(
            level,
            "Spool",
            f"{count(len(waiting), 'execution')} ({size(sum(waiting))}) not sent yet",
            "They are sent by the next program here that uses this server" if level == "warn" else "",
        )
    else:
        yield Finding("ok", "Spool", "empty: the server has everything")
    if refused:
        yield Finding(
            "warn",
            "Refused records",
            f"{count(len(refused), 'record')} in {folder / 'rejected'}, such as {refused[0]}",
            "Those executions go on without them; look at them, then remove the files",
        )


def check_data_folder(chosen: Path | None) -> Iterator[Finding]:
    """Look at a server's folder on this machine: who may read it, free space, durability."""
    folder = chosen or data_folder()
    if not folder.is_dir():
        if chosen is not None or "OMIUM_DATA_DIR" in os.environ:
            yield Finding(
                "fail", "Data folder", f"there is none at {folder}", "Start the server once: omium serve"
            )
        return
    yield from _check_modes(folder)
    free = shutil.disk_usage(folder).free
    if free < FREE_WARN_BYTES:
        level: Literal["warn", "fail"] = "fail" if free < FREE_FAIL_BYTES else "warn"
        yield Finding(
            level, "Free space", f"{size(free)} left for {folder}", "Free some space, or move the folder"
        )
    else:
        yield Finding("ok", "Free space", f"{size(free)} left for {folder}")
    yield from _check_durability(folder)
    backups = sorted((folder / "backups").glob("*.sqlite")) if (folder / "backups").is_dir() else []
    if backups:
        age_s = time.time() - max(each.stat().st_mtime for each in backups)
        yield Finding("ok", "Backups", f"{len(backups)}, the newest {age_s / 86_400:.0f} days old")
    else:
        yield Finding("warn", "Backups", "there is none", "omium db backup")


def _check_modes(folder: Path) -> Iterator[Finding]:
    watched = [
        folder,
        *(folder / name for name in ("omium.sqlite", "omium.sqlite-wal", "keys.json", "backups", "tls")),
    ]
    open_to_others = [path for path in watched if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    if os.name == "posix" and open_to_others:
        named = " ".join(str(path) for path in open_to_others)
        yield Finding("fail", "Data folder", f"others may read {named}", f"chmod go-rwx {named}")
    elif not os.access(folder, os.W_OK):
        yield Finding(
            "warn", "Data folder", f"this user cannot write to {folder}", "Run as the server's user"
        )
    else:
        yield Finding("ok", "Data folder", f"{folder}, private to its owner")


def _check_durability(folder: Path) -> Iterator[Finding]:
    if not os.access(folder, os.W_OK):
        return
    probe = folder / f".doctor-{secrets.token_hex(6)}"
    try:
        began = time.perf_counter()
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, b"omium doctor\n" * 300)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        took_s = time.perf_counter() - began
    except OSError as error:
        yield Finding(
            "fail",
            "Durability",
            f"cannot write and sync in {folder}: {error.strerror}",
            "Use another disk: --data",
        )
        return
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    kind = _filesystem(folder)
    where = f" on {kind}" if kind else ""
    if kind in {"tmpfs", "ramfs"}:
        yield Finding(
            "warn", "Durability", f"{folder} is in memory ({kind}): lost at a restart", "Use a disk: --data"
        )
    elif kind in {"nfs", "nfs4", "cifs", "smb3", "9p"}:
        yield Finding(
            "warn",
            "Durability",
            f"{folder} is on a network ({kind}): locks may not hold",
            "Use a local disk: --data",
        )
    elif took_s > FSYNC_WARN_S:
        yield Finding(
            "warn", "Durability", f"a sync takes {took_s * 1000:.0f} ms{where}: the server will be slow"
        )
    else:
        yield Finding("ok", "Durability", f"a sync takes {took_s * 1000:.1f} ms{where}")


def _filesystem(folder: Path) -> str:
    """Return the type of the filesystem that holds `folder`, empty where the system does not say."""
    best, kind = -1, ""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        _, at, each, *_ = line.split(" ")
        at = at.replace("\\040", " ")
        if folder.resolve().is_relative_to(at) and len(at) >= best:
            best, kind = len(at), each
    return kind


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
