"""`omium serve`: the one command that starts the server in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of database, keys and backups; else OMIUM_DATA_DIR."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="URL", help="postgresql://…; else SQLite in the data folder."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0: a free one. [default: 8720]")
    ] = None,
    tls: Annotated[
        bool | None, typer.Option("--tls", help="Serve TLS, with a certificate of a local authority.")
    ] = None,
    tls_name: Annotated[
        list[str] | None, typer.Option("--tls-name", help="A further name in that certificate; repeatable.")
    ] = None,
    behind_proxy: Annotated[
        list[str] | None,
        typer.Option("--behind-proxy", metavar="CIDR", help="A proxy in front ends TLS; repeatable."),
    ] = None,
    log_format: Annotated[
        str | None, typer.Option("--log-format", help="json, console, or auto. [default: auto]")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option("--log-level", help="debug, info, warning or error. [default: info]")
    ] = None,
) -> None:
    """Run the server until it is stopped.

    \b
    omium serve                            on this machine only, SQLite in the data folder
    omium serve --port 9000 --data ./omium
    omium serve --database postgresql://omium@localhost/omium
    omium serve --host 0.0.0.0 --tls       for other machines, too
    """
    from omium.server.serve import run_server  # the one place where a client's code starts the server
    from omium.server.settings import ServerSettings

    settings = ServerSettings.load(
        data=data,
        database_url=database,
        host=host,
        port=port,
        tls=tls,
        tls_names=tuple(tls_name) if tls_name else None,
        behind_proxy=tuple(behind_proxy) if behind_proxy else None,
        log_format=log_format,
        log_level=log_level,
    )
    raise typer.Exit(run_server(settings))
