"""What the server says about itself and does for its operator."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from omium.models.wire import Command, Reply


class Health(Reply):
    """Whether the process is there (`/healthz`) and can work (`/readyz`)."""

    status: Literal["ok", "ready", "unavailable", "stopping"]
    server_version: str
    detail: str = ""


class MakeBackup(Command):
    """Copy the database into the server's own backup folder; a name that exists is not overwritten."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")] | None = None
    with_keys: bool = False
    """Copy the key file too: without it sealed values and API keys of the backup cannot be used."""


class Backup(Reply):
    """A backup that was made; `file` is a path on the server's machine."""

    file: str
    size_bytes: int
    key_file: str | None = None
    note: str


class Verification(Reply):
    """What a check of the stored data found; an empty list is good news."""

    problems: list[str] = Field(default_factory=list)
    checks: list[str] = Field(default_factory=list)
