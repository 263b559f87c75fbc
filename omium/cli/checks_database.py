"""Checks of a database: the file in a data folder, or the PostgreSQL that the environment names.

Nothing is opened as a database but PostgreSQL: the file may be a running server's, and is only looked at from
outside. `omium db verify` checks what is in it.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from omium.cli.findings import Finding
from omium.clock import US_PER_S
from omium.safetext import safe_text
from omium.words import size, span

BACKUP_WARN_S: Final = 7 * 86_400
CLOCK_WARN_S: Final = 5.0
FREE_WARN_BYTES: Final = 256 * 2**20
LOG_WARN_BYTES: Final = 512 * 2**20
_SQLITE: Final = b"SQLite format 3\x00"
_WAL: Final = b"\x02\x02"  # bytes 18 and 19: written and read by way of a write-ahead log
_MUST_BE_ON: Final[Mapping[str, str]] = {
    "fsync": "what is committed is lost at a power cut, and the database may be damaged",
    "full_page_writes": "a page that is half written at a power cut damages the database",
}


def check_database_file(folder: Path) -> Iterator[Finding]:
    """Look at the database, keys and backups in the data folder `folder`."""
    if not os.access(folder, os.R_OK | os.X_OK):
        yield Finding(
            "warn", "Data folder", f"this user may not look into {folder}", "Run as the server's user"
        )
        return
    yield from _check_modes(folder)
    file = folder / "omium.sqlite"
    if not file.is_file():
        yield Finding("ok", "Database", f"no SQLite file in {folder}: PostgreSQL, or never started")
        return
    try:
        with file.open("rb") as opened:
            head = opened.read(100)
    except OSError as error:
        yield Finding(
            "warn", "Database", f"{file} cannot be read: {error.strerror}", "Run as the server's user"
        )
        return
    log = folder / "omium.sqlite-wal"
    log_bytes = log.stat().st_size if log.exists() else 0
    described = f"{size(file.stat().st_size)}, and {size(log_bytes)} of log"
    if not head.startswith(_SQLITE) and head:
        yield Finding("fail", "Database", f"{file} is not a database", "omium db restore BACKUP")
    elif head and head[18:20] != _WAL:
        yield Finding(
            "fail",
            "Database",
            f"{file} is not in WAL mode: another program changed it",
            "Start the server once (omium serve), and let no other program write to it",
        )
    elif log_bytes > LOG_WARN_BYTES:
        yield Finding(
            "warn",
            "Database",
            f"{described}: something keeps the log from being reused",
            "End programs that hold the file open, then restart the server",
        )
    elif free_bytes(head) > max(FREE_WARN_BYTES, file.stat().st_size // 2):
        yield Finding(
            "warn",
            "Database",
            f"{described}; {size(free_bytes(head))} of the file are free inside, for new records",
            "If it will not be needed, stop the server and give it back: omium db compact",
        )
    else:
        yield Finding("ok", "Database", described)
    if not (folder / "keys.json").is_file():
        yield Finding(
            "fail",
            "Keys",
            f"{folder / 'keys.json'} is missing: no API key can be checked, nothing sealed can be read",
            "Put it back from where you keep it (omium db restore BACKUP --keys FILE)",
        )
    yield from _check_backups(folder)


def free_bytes(head: bytes) -> int:
    """Return how much of a SQLite file is free pages, from its first 100 bytes."""
    page_bytes = int.from_bytes(head[16:18], "big")
    return (65_536 if page_bytes == 1 else page_bytes) * int.from_bytes(head[36:40], "big")


def check_postgres(environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Look at the settings of the PostgreSQL that `OMIUM_DATABASE_URL` names, if it names one."""
    url = environ.get("OMIUM_DATABASE_URL", "")
    if not url.startswith(("postgresql://", "postgres://")):
        return
    try:
        import psycopg
    except ImportError:
        yield Finding("fail", "PostgreSQL", "its driver is not installed", "pip install 'omium-os[postgres]'")
        return
    try:
        with psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
            rows = connection.execute(
                "SELECT name, setting FROM pg_settings WHERE name IN"
                " ('fsync', 'full_page_writes', 'server_version')"
            ).fetchall()
            at = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    except psycopg.Error as error:
        said = safe_text(str(error)).strip().partition("\n")[0]
        yield Finding(
            "fail", "PostgreSQL", f"no connection: {said}", "Start it, or correct OMIUM_DATABASE_URL"
        )
        return
    settings = {str(name): str(setting) for name, setting in rows}
    yield from judge_postgres(settings, None if at is None else time.time() - float(at[0]))


def judge_postgres(settings: Mapping[str, str], ahead_s: float | None) -> Iterator[Finding]:
    """Say what `settings` mean for what is acknowledged; `ahead_s` is how far our clock is ahead."""
    off = [name for name in _MUST_BE_ON if settings.get(name) == "off"]
    for name in off:
        yield Finding(
            "fail", "PostgreSQL", f"{name} is off: {_MUST_BE_ON[name]}", f"Set {name} = on in postgresql.conf"
        )
    if not off:
        version = settings.get("server_version", "?")
        yield Finding("ok", "PostgreSQL", f"{version}, fsync and full_page_writes are on")
    if ahead_s is not None and abs(ahead_s) > CLOCK_WARN_S:
        apart = span(round(abs(ahead_s) * US_PER_S))
        words = "ahead of" if ahead_s > 0 else "behind"
        yield Finding("warn", "Clock", f"this machine is {apart} {words} PostgreSQL", "Set both clocks (NTP)")


def _check_modes(folder: Path) -> Iterator[Finding]:
    names = ("omium.sqlite", "omium.sqlite-wal", "keys.json", "backups", "tls")
    watched = [folder, *(folder / name for name in names)]
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


def _is_database(file: Path) -> bool:
    """Say whether `file` is one, whatever it is called: a backup has the name that somebody gave it."""
    try:
        with file.open("rb") as opened:
            return opened.read(len(_SQLITE)) == _SQLITE
    except OSError:  # a folder, or not ours to read
        return False


def _check_backups(folder: Path) -> Iterator[Finding]:
    kept = folder / "backups"
    backups = [each for each in kept.iterdir() if _is_database(each)] if kept.is_dir() else []
    if not backups:
        yield Finding("warn", "Backups", "there is none", "omium db backup")
        return
    age_s = time.time() - max(each.stat().st_mtime for each in backups)
    told = f"{len(backups)}, the newest {span(round(max(age_s, 0) * US_PER_S))} old, on the same disk"
    if age_s > BACKUP_WARN_S:
        yield Finding("warn", "Backups", told, "omium db backup, then copy it away")
    else:
        yield Finding("ok", "Backups", told)
