"""Checks whether a server would start with this environment's settings. Imports the server's own table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import fields

from omium.cli.findings import Finding
from omium.errors import ConfigError
from omium.words import count


def check_server_settings() -> Iterator[Finding]:
    """Read the settings as `omium serve` does, where the environment has any of them."""
    from omium.server.settings import ServerSettings

    variables = [str(each.metadata["variable"]) for each in fields(ServerSettings)]
    chosen = [name for name in variables if name in os.environ]
    if not chosen:
        return
    try:
        ServerSettings.load()
    except ConfigError as error:
        yield Finding("fail", "Server settings", str(error).rstrip("."), "Correct or unset that variable")
    else:
        yield Finding("ok", "Server settings", f"{count(len(chosen), 'variable')} set, all understood")
