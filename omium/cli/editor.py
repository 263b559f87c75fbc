"""Texts in the user's own editor: $VISUAL, else $EDITOR, else vi."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from omium.cli.ending import WrongUse
from omium.errors import ConfigError


def edit_text(text: str, *, suffix: str) -> str:
    """Return `text` as the user left it. Raises `ConfigError` where the editor failed."""
    with tempfile.TemporaryDirectory(prefix="omium-") as folder:  # 0700: what is edited is nobody else's
        file = Path(folder) / f"edit{suffix}"
        file.write_text(text, encoding="utf-8")
        edit_file(file)
        return file.read_text(encoding="utf-8")


def edit_file(file: Path) -> None:
    """Let the user edit `file`. Raises `ConfigError` where the editor failed."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    if not command:
        raise WrongUse("EDITOR is blank; set it to an editor, such as nano.")
    try:
        done = subprocess.run([*command, str(file)], check=False)  # noqa: S603  # the user's own command
    except OSError as error:
        raise ConfigError(
            f"Cannot start {command[0]}: {error.strerror}. Set EDITOR to an editor that is there."
        ) from None
    if done.returncode:
        raise ConfigError(f"{command[0]} ended with {done.returncode}; nothing was changed.")
