"""The user's own editor: $VISUAL, else $EDITOR, else vi, with the dashboard out of its way meanwhile.

Only for actions that are `local`: in the browser version, the editor would be the server's.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from textual.app import App, SuspendNotSupported

from omium.tui.content import safe


def edit_text(app: App[object], text: str, suffix: str) -> str | None:
    """Return `text` as the user left it; None where the editor failed, which is said.

    What is edited is in a file that nobody else can read, and that is gone afterwards. Nothing is drawn and
    no key is taken by the dashboard until the editor ends.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi") or ["vi"]
    with tempfile.TemporaryDirectory(prefix="omium-") as folder:  # 0700
        file = Path(folder) / f"edit{suffix}"
        file.write_text(text, encoding="utf-8")
        try:
            with app.suspend():
                done = subprocess.run([*command, str(file)], check=False)  # noqa: S603  # the user's own command
        except SuspendNotSupported:
            return _failed(app, "This terminal cannot be left for an editor.")
        except OSError as error:
            reason = f"Cannot start {command[0]}: {error.strerror}. Set EDITOR to an editor that is there."
            return _failed(app, reason)
        if done.returncode:
            return _failed(app, f"{command[0]} ended with {done.returncode}; nothing was changed.")
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return _failed(app, "What the editor left is not text in UTF-8; nothing was changed.")


def read_file(app: App[object], name: str) -> str | None:
    """Return the text of a file of this machine; None where it cannot be read, which is said."""
    try:
        return Path(name).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        return _failed(app, f"Cannot read {name}: {error.strerror}.")
    except (UnicodeDecodeError, ValueError, RuntimeError):
        return _failed(app, f"Cannot read {name}: it is not text in UTF-8.")


def _failed(app: App[object], sentence: str) -> str | None:
    app.notify(safe(sentence), severity="error", timeout=12, markup=False)
    return None
