"""Folders: where the server keeps its data and where the one-time token of a fresh server lies.

Shared by the server, which writes them, and the command line, which finds the token on the same machine.
Nothing is created here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return `OMIUM_DATA_DIR`, else `omium` in the XDG data folder, `~/.local/share/omium` by default."""
    if chosen := environ.get("OMIUM_DATA_DIR"):
        return Path(chosen).expanduser().absolute()
    xdg = environ.get("XDG_DATA_HOME", "")
    root = Path(xdg) if xdg.startswith("/") else Path(environ.get("HOME") or Path.home()) / ".local" / "share"
    return root / "omium"


def bootstrap_token_file(data: Path) -> Path:
    """Return where a fresh server puts its one-time token: 0600, in a folder of its own with 0700."""
    return data / "bootstrap" / "token"
