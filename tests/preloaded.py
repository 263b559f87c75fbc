"""Processes that start in milliseconds: a Python that has imported Omium already forks one for each command.

    process = Popen([sys.executable, "-m", "omium", "keys", "list"], env=..., stdout=subprocess.PIPE)

Everything else about them is `subprocess.Popen`'s: they are children of this process, with an environment, a
folder and standard streams of their own, and die of signals as others do. What they do not have is the start
of the interpreter and a hash seed of their own, so whoever tests those takes `subprocess.Popen`.

The clean Python has no threads and nothing of pytest's; there is one for each pytest process, from its first
use on, until the socket to it closes. Run as a program, this file is that Python.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PRELOADED = (
    "omium.server.serve", "omium.sdk.sync_client", "omium.cli.main", "omium.cli.application", "runpy",
    "encodings.idna", "pydantic.type_adapter",
)  # fmt: skip
PACKAGES = ("omium.cli", "omium.sdk")  # whose modules are loaded when a command needs them
MESSAGE_BYTES_MAX = 1 << 20
PR_SET_CHILD_SUBREAPER = 36
_LENGTH_BYTES = 4


def can_run(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Say whether the clean Python can stand in: this one is called, and nothing of its start is changed."""
    told = any(
        name.startswith("PYTHON") and name != "PYTHONPATH" for name in environment_changes(environment)
    )
    measured = "COVERAGE_PROCESS_START" in os.environ or "COVERAGE_PROCESS_CONFIG" in os.environ
    return arguments[0] == sys.executable and arguments[1] in ("-m", "-c") and not told and not measured


def environment_changes(environment: Mapping[str, str]) -> list[str]:
    """Return the names whose values are others than this process has."""
    return [name for name in {*environment, *os.environ} if environment.get(name) != os.environ.get(name)]


class Popen(subprocess.Popen[Any]):
    """`subprocess.Popen` of `[sys.executable, "-m" or "-c", ...]`; other commands start as they always do."""

    def _execute_child(self, args: Any, *rest: Any, **named: Any) -> None:
        given = dict(zip(_NAMES, rest, strict=False)) | named
        environment = os.environ if given["env"] is None else given["env"]
        command = [os.fspath(argument) for argument in args]
        if not can_run(command, environment):
            super()._execute_child(args, *rest, **named)
            return
        request = {
            "arguments": command[1:],
            "environment": {os.fspath(name): os.fspath(value) for name, value in environment.items()},
            "folder": os.fspath(given["cwd"] or Path.cwd()),
            "new_session": bool(given["start_new_session"]),
        }
        streams = [given["p2cread"], given["c2pwrite"], given["errwrite"]]
        self.pid = _clean().fork(request, [own if fd == -1 else fd for own, fd in enumerate(streams)])
        self._child_created = True
        self._close_pipe_fds(*(given[name] for name in _PIPES))


_NAMES = (
    "executable", "preexec_fn", "close_fds", "pass_fds", "cwd", "env", "startupinfo", "creationflags",
    "shell", "p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite", "restore_signals",
    "gid", "gids", "uid", "umask", "start_new_session", "process_group",
)  # fmt: skip
_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")


class Clean:
    """The clean Python, seen from pytest."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OMIUM_")}
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**kept, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # no terminal: what it prints is buffered as in a pipe
        )
        theirs.close()
        self._libc = ctypes.CDLL(None)
        self._one_at_a_time = threading.Lock()

    def fork(self, request: dict[str, object], streams: Sequence[int]) -> int:
        """Start a child with these standard streams; return its id. This process becomes its parent."""
        sent = json.dumps(request).encode()
        with self._one_at_a_time:
            self._libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(self._socket, [len(sent).to_bytes(_LENGTH_BYTES, "big")], list(streams))
                self._socket.sendall(sent)
                return int.from_bytes(_receive(self._socket, _LENGTH_BYTES), "big")
            finally:
                self._libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


_started: list[Clean] = []


def _clean() -> Clean:
    if not _started:
        _started.append(Clean())
        atexit.register(_started[0].close)
    return _started[0]


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise EOFError("the clean Python has ended")
        data += chunk
    return data


# ---- in the clean Python


def preload() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    for package in PACKAGES:
        for found in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            with contextlib.suppress(ImportError):  # an optional framework
                importlib.import_module(found.name)


def serve(connection: socket.socket) -> Callable[[], None] | None:
    """Fork until the other side ends; in a child return what it is to run."""
    while True:
        head, streams, _, _ = socket.recv_fds(connection, _LENGTH_BYTES, 3)
        if not head:
            return None
        head += _receive(connection, _LENGTH_BYTES - len(head)) if len(head) < _LENGTH_BYTES else b""
        request = json.loads(_receive(connection, int.from_bytes(head, "big")))
        told, telling = os.pipe()
        between = os.fork()
        if between == 0:  # ends at once, so that its child becomes pytest's
            own_pid = os.getpid()
            child = os.fork()
            if child == 0:
                wait_for_parent(own_pid)
                for fd in (told, telling, connection.detach()):
                    os.close(fd)
                return become(request, streams)
            os.write(telling, child.to_bytes(_LENGTH_BYTES, "big"))
            os._exit(0)
        os.waitpid(between, 0)
        connection.sendall(os.read(told, _LENGTH_BYTES))
        for fd in (told, telling, *streams):
            os.close(fd)


def wait_for_parent(between: int) -> None:
    """Return once pytest is the parent."""
    while os.getppid() == between:
        time.sleep(0.000_1)


def become(request: Mapping[str, Any], streams: Sequence[int]) -> Callable[[], None]:
    """Take the environment, folder and streams of `request`, and return its program."""
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
    for fd in set(streams):
        os.close(fd)
    # As the interpreter makes them at its start: what can be sought and what is a terminal is found out anew.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # they stay open
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if request["environment"].get("PYTHONUNBUFFERED"):
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    if request["new_session"]:
        os.setsid()
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["folder"])
    kind, *arguments = request["arguments"]
    script = kind not in ("-c", "-m")
    program = kind if script else arguments.pop(0)
    first = {"-c": "", "-m": request["folder"]}.get(kind, str(Path(program).resolve().parent))
    listed = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:] = [first, *listed, *(entry for entry in sys.path[1:] if entry != str(ROOT))]
    importlib.invalidate_caches()
    sys.orig_argv = [sys.executable, *request["arguments"]]
    sys.argv = ["-c" if kind == "-c" else program, *arguments]
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    if kind == "-c":
        return lambda: exec(compile(program, "<string>", "exec"), main.__dict__)
    if script:
        main.__file__ = str(Path(program).absolute())
        return lambda: exec(compile(Path(program).read_bytes(), main.__file__, "exec"), main.__dict__)
    runpy = importlib.import_module("runpy")
    return lambda: runpy._run_module_as_main(program, alter_argv=True)  # what `-m` itself calls


def run_clean() -> None:
    connection = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    preload()
    gc.collect()
    gc.freeze()  # or a child's first collection would copy the memory that it shares
    program = serve(connection)
    if program is not None:
        run_to_the_end(program)


def skip_own_frames(traceback: types.TracebackType | None) -> types.TracebackType | None:
    """Return the frames behind the last of this file: those that a Python of its own would show."""
    found = each = traceback
    while each is not None:
        if each.tb_frame.f_code.co_filename == __file__:
            found = each.tb_next
        each = each.tb_next
    return found


def run_to_the_end(program: Callable[[], None]) -> None:
    """Run `program` and end as Python does, but leave the memory to the system: it is shared, and large."""
    code = 0
    try:
        program()
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            raise
        code = end.code or 0
    except Exception as error:
        shown = error.with_traceback(skip_own_frames(error.__traceback__))
        sys.excepthook(type(shown), shown, shown.__traceback__)
        code = 1
    threading._shutdown()  # waits for threads, as the interpreter does before its end
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code & 0xFF)


if __name__ == "__main__":
    run_clean()
