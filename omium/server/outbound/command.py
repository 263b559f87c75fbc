"""Commands: one of the few that the operator has configured, with JSON on its standard input.

Owns the list (a TOML file: `name = ["/path/to/program", "argument"]`) and how one runs: no shell, an
environment of nothing but a search path, its own session, killed with all its children when its time is over.
A tenant chooses a name, never a program or an argument.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from omium.errors import ConfigError
from omium.server.outbound.addresses import TargetRefused
from omium.server.outbound.http import SendFailed

ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
STDERR_BYTES: Final = 500
TIMEOUT_S: Final = 20.0

Commands = Mapping[str, tuple[str, ...]]


def read_commands(path: Path) -> Commands:
    """Return the commands in `path`; `ConfigError` where something is wrong with it."""
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"OMIUM_ALERT_COMMANDS names {path}: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error
    found = {}
    for name, argv in content.items():
        words = isinstance(argv, list) and argv and all(isinstance(word, str) for word in argv)
        if not words or not Path(argv[0]).is_absolute():
            raise ConfigError(f'{path}: {name} must be a list such as ["/path/to/program", "argument"].')
        found[name] = tuple(argv)
    return found


def find_command(commands: Commands, name: str) -> tuple[str, ...]:
    """Return the command named `name`, or raise `TargetRefused`."""
    argv = commands.get(name)
    if argv is None:
        known = ", ".join(sorted(commands)) or "none"
        raise TargetRefused(
            f"The server's operator has configured no command {name[:100]!r}; there are: {known}."
        )
    return argv


async def run_command(argv: tuple[str, ...], body: bytes, *, timeout_s: float = TIMEOUT_S) -> None:
    """Run `argv` with `body` on its standard input; raises `SendFailed` unless it ends with 0 in time."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise SendFailed(f"{argv[0]} cannot be run: {error.strerror}.") from error
    try:
        async with asyncio.timeout(timeout_s):
            said, _ = await asyncio.gather(_read_some(process), _feed(process, body))
            code = await process.wait()
    except TimeoutError:
        raise SendFailed(f"{argv[0]} did not end within {timeout_s:g} s.") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it has left running goes, too
        await process.wait()
    if code != 0:
        raise SendFailed(f"{argv[0]} ended with {code}: {said.decode('utf-8', 'replace').strip()}")


async def _feed(process: asyncio.subprocess.Process, body: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it need not read
        process.stdin.write(body)
        await process.stdin.drain()
    process.stdin.close()


async def _read_some(process: asyncio.subprocess.Process) -> bytes:
    """Return the beginning of what it says on stderr, and take the rest, so that it never waits for us."""
    assert process.stderr is not None
    kept = b""
    while chunk := await process.stderr.read(4_096):
        kept += chunk[: STDERR_BYTES - len(kept)]
    return kept
