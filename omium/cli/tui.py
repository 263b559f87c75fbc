"""`omium tui`: the dashboard, in this terminal or in a browser."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.options import DASHBOARD_PORT

if TYPE_CHECKING:
    from omium.sdk.async_client import AsyncClient

ReadOnly = Annotated[bool, typer.Option("--read-only", help="Leave out everything that changes something.")]
Plain = Annotated[bool, typer.Option("--plain", help="No boxes, plots or motion, for screen readers.")]
Origins = Annotated[
    list[str] | None,
    typer.Option("--origin", metavar="URL", help="With --web: where a proxy offers it; repeatable."),
]


@for_server
def tui(
    common: Common,
    start: Annotated[
        str, typer.Argument(metavar="PAGE|ID", help="Where to begin: a page such as failures, or an id.")
    ] = "overview",
    read_only: ReadOnly = False,
    plain: Plain = False,
    web: Annotated[bool, typer.Option("--web", help="In a browser of this machine instead.")] = False,
    port: Annotated[
        int, typer.Option(help="With --web: the port; 0: a free one.", min=0, max=65535)
    ] = DASHBOARD_PORT,
    origin: Origins = None,
    log_in: Annotated[
        bool, typer.Option("--log-in", help="With --web: a log-in form, and no link with your key.")
    ] = False,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Open the dashboard, in this terminal or a browser.

    \b
    omium tui
    omium tui failures --read-only
    omium tui --web                        prints a link that opens it once
    """
    from omium.config import load_settings

    settings = load_settings(base_url=common.base_url, profile=common.profile)
    if web:
        if not log_in and not settings.api_key:
            raise WrongUse("There is nobody to log in: run `omium init` or `omium login`, or add --log-in.")
        from omium.cli.browser import serve_dashboard

        serve_dashboard(
            common.output,
            settings,
            port=port,
            origins=tuple(origin or ()),
            logs_in=log_in,
            read_only=read_only,
            with_parent=with_parent,
        )
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WrongUse(
            "The dashboard needs a terminal. `omium status`, `omium executions list` and the other commands"
            " print the same things, with --json for scripts."
        )
    if os.environ.get("TERM") in ("dumb", ""):
        raise WrongUse(
            f"This terminal cannot move its cursor (TERM={os.environ['TERM']}), which the dashboard needs."
            " Set TERM to what it is, such as xterm-256color; or use a browser: `omium tui --web`."
        )
    from omium.tui.app import DashboardApp

    def make_client() -> AsyncClient:
        from omium.sdk.async_client import AsyncClient  # after the first page is drawn

        return AsyncClient(settings=settings)

    app = DashboardApp(
        make_client if settings.api_key else None,
        read_only=read_only,
        plain=plain,
        start=start,
    )
    app.run()
