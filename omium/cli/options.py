"""The flags that mean the same in every command, declared once."""

from __future__ import annotations

from typing import Annotated

import typer

DASHBOARD_PORT = 8730

BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="The server; else OMIUM_BASE_URL, else the profile's."),
]
ProfileName = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="A profile of the configuration; else OMIUM_PROFILE."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but the result and errors.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="Print without colour, as NO_COLOR does.")]
Target = Annotated[
    str | None,
    typer.Option("--target", metavar="PATH.py[:OBJECT]", help="Run it here, with this code."),
]
Here = Annotated[bool, typer.Option("--here", help="Run it in this process, with the code that started it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it's kept.")]
