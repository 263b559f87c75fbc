"""The bash of one page, whose `omium` and `python` start in milliseconds.

Run as a program by `preloaded.Popen`, in a session of its own: it has imported Omium already, starts bash
with its own streams, and forks a child for each command that forward.py sends from there. The children belong
to the process group that the command was started in, so that whoever kills the group kills them; one whose
forward.py was killed is killed too. Ends as bash does, once no child is left.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests import preloaded
from tests.docs.forward import LENGTH_BYTES, PASSED_ON, known_variables

COMMANDS = ("omium", "python")
FORWARD = Path(__file__).with_name("forward.py")


@dataclass(slots=True)
class PageShell:
    """What runs: bash, and the connection of each child's forward.py."""

    listener: socket.socket
    woken: int
    waking: int
    bash: subprocess.Popen[bytes]
    children: dict[int, socket.socket] = field(default_factory=dict)
    code: int | None = None

    def serve(self) -> Callable[[], None] | None:
        """Fork until bash and all children have ended; in a child return what it is to run."""
        while self.code is None or self.children:
            waiting = select.poll()
            connections = {connection.fileno(): pid for pid, connection in self.children.items()}
            for fd in (self.listener.fileno(), self.woken, *connections):
                waiting.register(fd, select.POLLIN)
            for fd, _ in waiting.poll():
                if fd == self.woken:
                    os.read(self.woken, 4096)
                    self.reap()
                elif fd == self.listener.fileno():
                    program = self.accept()
                    if program is not None:
                        return program
                elif connections[fd] in self.children:
                    self.forget(connections[fd])
        return None

    def reap(self) -> None:
        """Tell the forward.py of each child that has ended how it ended."""
        while self.code is None or self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid == self.bash.pid:
                self.code = self.bash.returncode = os.waitstatus_to_exitcode(status)
            elif pid in self.children:
                with self.children.pop(pid) as connection, contextlib.suppress(OSError):
                    connection.sendall(status.to_bytes(LENGTH_BYTES, "little"))

    def forget(self, pid: int) -> None:
        """Kill a child whose forward.py is gone: it sends nothing, so what was read is its end."""
        self.children.pop(pid).close()
        os.kill(pid, signal.SIGKILL)  # not reaped yet, so the id is still this child's

    def accept(self) -> Callable[[], None] | None:
        """Fork for one command; in the child return its program."""
        connection, _ = self.listener.accept()
        head, streams, _, _ = socket.recv_fds(connection, LENGTH_BYTES, 3)
        sent = b""
        while head and len(sent) < int.from_bytes(head, "little"):
            sent += connection.recv(int.from_bytes(head, "little") - len(sent))
        if not head:
            connection.close()
            return None
        arguments, environment, folder, group, ignored = marshal.loads(sent)
        pid = os.fork()
        if pid == 0:
            self.leave(connection)
            take_place(group, ignored)
            request = {
                "arguments": arguments,
                "environment": environment,
                "folder": folder,
                "new_session": False,
            }
            return preloaded.become(request, streams)
        with contextlib.suppress(OSError):
            os.setpgid(pid, group)  # here too: it must be there before anybody can kill the group
        for fd in streams:
            os.close(fd)
        self.children[pid] = connection
        with contextlib.suppress(OSError):  # gone meanwhile; poll tells
            connection.sendall(pid.to_bytes(LENGTH_BYTES, "little"))
        return None

    def leave(self, connection: socket.socket) -> None:
        """In a child, close what belongs to its parent: an end would not be seen while a copy is open."""
        signal.set_wakeup_fd(-1)
        for each in (self.listener, connection, *self.children.values()):
            os.close(each.detach())
        os.close(self.woken)
        os.close(self.waking)
        self.bash.returncode = 0  # another's child
        self.children.clear()


def take_place(group: int, ignored: list[int]) -> None:
    """Join the process group `group`, with a new program's signals and nothing of these tests."""
    with contextlib.suppress(OSError):
        os.setpgid(0, group)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for name in PASSED_ON:
        number = getattr(signal, name)
        signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    if signal.SIGINT not in ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in sys.modules if name == "tests" or name.startswith("tests.")]:
        del sys.modules[name]


def write_commands(folder: Path, place: str, environment: Mapping[str, str]) -> None:
    """Write the scripts that are to stand first on the PATH of `environment`."""
    for name in COMMANDS:
        program = str(Path(sys.executable).parent / name)
        words = [sys.executable, "-IS", str(FORWARD), place, known_variables(environment), program]
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        script.chmod(0o755)


def run(place: str) -> Callable[[], None]:
    """Run bash to its end and end as it did; in a child return what it is to run."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"\0{place}")  # no file that somebody must remove
    listener.listen(16)
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    shell = PageShell(listener, woken, waking, subprocess.Popen(["bash", "--norc"]))
    program = shell.serve()
    if program is None:
        os._exit(shell.code if shell.code is not None and shell.code >= 0 else 1)
    return program


if __name__ == "__main__":
    gc.freeze()  # as preloaded does, for the children
    preloaded.run_to_the_end(run(sys.argv[1]))
