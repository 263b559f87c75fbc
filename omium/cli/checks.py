"""Checks of this machine: installation, configuration, spool, and a server's data folder if it is here.

The database in that folder is checks_database.py, the disk under it checks_disk.py.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import omium
from omium.cli.checks_database import check_database_file
from omium.cli.checks_disk import check_disk
from omium.cli.findings import Finding
from omium.config import config_folder, find_other_distribution, load_settings, read_config
from omium.errors import ConfigError
from omium.folders import data_folder
from omium.words import count, size

SQLITE_MIN: Final = (3, 35, 0)  # RETURNING
SPOOL_WARN_BYTES: Final = 256 * 2**20


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
    """Look at a server's folder on this machine: its files, who may read them, its disk."""
    folder = chosen or data_folder()
    if not folder.is_dir():
        if chosen is not None or "OMIUM_DATA_DIR" in os.environ:
            yield Finding(
                "fail", "Data folder", f"there is none at {folder}", "Start the server once: omium serve"
            )
        return
    yield from check_database_file(folder)
    yield from check_disk(folder)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
