"""`omium serve`: the one command that starts the server in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omium.cli.ending import WrongUse
from omium.cli.options import DASHBOARD_PORT


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
    web: Annotated[
        bool, typer.Option("--web", help="Offer the dashboard to browsers of this machine, too.")
    ] = False,
    web_port: Annotated[
        int, typer.Option("--web-port", help="Its port; 0: a free one.", min=0, max=65535)
    ] = DASHBOARD_PORT,
    web_origin: Annotated[
        list[str] | None,
        typer.Option("--web-origin", metavar="URL", help="Where a proxy offers it; repeatable."),
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
    omium serve --web                      with the dashboard for browsers beside it
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
    if not web:
        raise typer.Exit(run_server(settings))
    if settings.port == 0:
        raise WrongUse("With --web the server needs a port that is known: give --port one of its own.")
    from omium.cli.browser import dashboard_beside

    scheme, name = ("https", "localhost") if settings.tls else ("http", "127.0.0.1")
    ca_file = str(settings.data / "tls" / "ca.pem") if settings.tls else None
    with dashboard_beside(f"{scheme}://{name}:{settings.port}", web_port, tuple(web_origin or ()), ca_file):
        code = run_server(settings)
    raise typer.Exit(code)
