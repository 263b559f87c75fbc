"""What the process of a dashboard in a browser may not do, whatever a page of it tries.

Actions that would touch the machine are absent there (`Action.local`). This is for the day on which one is
forgotten: Python itself then refuses to start a program or to write a file. It keeps our own code from an
error, not code of somebody else, of which there is none in that process.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import Final

_STARTING: Final = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
        "os.system",
        "pty.spawn",
        "subprocess.Popen",
        "webbrowser.open",
    }
)
_CHANGING: Final = frozenset(
    {
        "os.chmod",
        "os.chown",
        "os.link",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.truncate",
        "os.utime",
        "tempfile.mkdtemp",
        "tempfile.mkstemp",
    }
)
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def confine() -> None:
    """From now on, this process starts no program, and changes no file; it cannot be taken back.

    What is refused raises `PermissionError`. No file grows either, of which the kernel takes care, and a
    crash leaves no memory, hence no key, on the disk.
    """
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in _STARTING or event in _CHANGING or (event == "open" and _writes(arguments)):
        raise PermissionError(f"A dashboard in a browser does not do that on its server: {event}")


def _writes(arguments: tuple[object, ...]) -> bool:
    path, _, flags = arguments
    return isinstance(flags, int) and bool(flags & _WRITING) and not isinstance(path, int)
