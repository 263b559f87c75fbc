"""The `omium` and `python` of a page's shell: has a command run by the page's own Python (page_shell.py).

Called by two small scripts as `python -IS forward.py PLACE KNOWN PROGRAM [arguments]`. It imports nothing
that takes time, waits for the command that runs in its stead, passes signals on to it and ends as it ended.
What that Python cannot stand in for (`python -`, `python -V`, a PYTHON variable of the page's own) is run for
real.
"""

from __future__ import annotations

import _signal
import _socket
import marshal
import os
import sys

TYPE_CHECKING = False  # typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping

PASSED_ON = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2")
LENGTH_BYTES = 4


def choose(program: str, arguments: list[str]) -> list[str] | None:
    """Return what to run as that Python takes it, `None` for what it cannot stand in for."""
    if os.path.basename(program) != "python":  # noqa: PTH119  # pathlib takes time
        return [program, *arguments]
    first = arguments[0] if arguments else ""
    if first in ("-c", "-m"):
        return arguments if len(arguments) > 1 else None
    return arguments if first.endswith(".py") and os.path.isfile(first) else None  # noqa: PTH113


def known_variables(environment: Mapping[str, str]) -> str:
    """Return what Python itself reads from `environment` when it starts."""
    return "\n".join(
        sorted(f"{name}={each}" for name, each in environment.items() if name.startswith("PYTHON"))
    )


def receive(connection: _socket.socket) -> int:
    """Return the next number, or end: the page's Python was killed."""
    data = b""
    while len(data) < LENGTH_BYTES:
        chunk = connection.recv(LENGTH_BYTES - len(data))
        if not chunk:
            os._exit(70)
        data += chunk
    return int.from_bytes(data, "little")


def send_signal(pid: int, number: int) -> None:
    try:  # noqa: SIM105  # contextlib takes time
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has ended; that is on its way to us


def forward(place: str, command: list[str]) -> None:
    """Have `command` run with this process's environment, folder, group and streams, and end as it ends."""
    child: list[int] = []
    early: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        if child:
            send_signal(child[0], number)
        else:
            early.append(number)

    numbers = [getattr(_signal, name) for name in PASSED_ON]
    ignored = [int(number) for number in numbers if _signal.getsignal(number) == _signal.SIG_IGN]
    for number in numbers:
        if number not in ignored:
            _signal.signal(number, pass_on)
    request = marshal.dumps((command, dict(os.environ), os.getcwd(), os.getpgrp(), ignored))  # noqa: PTH109
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.connect("\0" + place)
    streams = b"".join(fd.to_bytes(4, sys.byteorder) for fd in range(3))
    rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)]
    connection.sendmsg([len(request).to_bytes(LENGTH_BYTES, "little")], rights)
    connection.sendall(request)
    child.append(receive(connection))
    for number in early:
        send_signal(child[0], number)
    code = os.waitstatus_to_exitcode(receive(connection))
    if code < 0:
        if -code != _signal.SIGKILL:
            _signal.signal(-code, _signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def main() -> None:
    place, known, program, *arguments = sys.argv[1:]
    command = choose(program, arguments) if known_variables(os.environ) == known else None
    if command is None:
        os.execv(program, [program, *arguments])
    forward(place, command)


if __name__ == "__main__":
    main()
