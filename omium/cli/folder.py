"""The folder of a server that is stopped: the flags that name it, and the settings that they mean."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from omium.server.settings import ServerSettings

Data = Annotated[
    Path | None,
    typer.Option("--data", help="The data folder of a server that is stopped; else OMIUM_DATA_DIR."),
]
DatabaseUrl = Annotated[
    str | None, typer.Option("--database", metavar="URL", help="postgresql://…; else SQLite in that folder.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Read the files; do not ask the server.")]


def settings_of(data: Path | None, database: str | None) -> ServerSettings:
    """Return the settings of the server whose files are meant; what is made of them stays private."""
    from omium.server.settings import ServerSettings

    os.umask(0o077)
    return ServerSettings.load(data=data, database_url=database)
