"""ExpressionPool: conditions are evaluated in a process beside the server, never in it.

    a process and a spare    an expression that is over its 100 ms of CPU, or its memory, ends the process;
                             the next evaluation goes on with the spare, while another is started
    nothing while unused     both start with the first evaluation

Owns the processes and what an evaluation may be given. What may be written is omium/spec/expressions.py, the
limits of the process are expression_process.py's, and how often an expression may end one is conditions.py's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from omium.errors import ShuttingDown
from omium.jsonvalue import JsonValue, json_bytes
from omium.logs import get_logger
from omium.server.builtin import expression_process
from omium.spec.expressions import LIST_ITEMS_MAX

VALUES_BYTES_MAX: Final = 1024 * 1024
WALL_S: Final = 20.0
"""How long an answer is waited for: only a machine that stands still takes so long for 100 ms of CPU."""
_HEAD = struct.Struct(">I")
_FILE = Path(expression_process.__file__)

log = get_logger(__name__)


class ExpressionFailed(Exception):
    """The expression has no value for what it was given; the message is a sentence."""


class ExpressionKilled(ExpressionFailed):
    """The expression took more CPU or memory than one may, and was ended."""


class ExpressionPool:
    """One for each server process. `close` ends its processes."""

    def __init__(self, *, wall_s: float = WALL_S) -> None:
        self._wall_s = wall_s
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._spare: asyncio.Task[asyncio.subprocess.Process] | None = None
        self._closed = False
        self.started = 0
        """How many processes were started so far."""

    async def evaluate(self, source: str, values: Mapping[str, JsonValue]) -> JsonValue:
        """Return the value of `source`, which was checked, for the projected `values`.

        Raises `ExpressionFailed`, and `ExpressionKilled` where it was over its limits. `TimeoutError` where
        this machine is too busy to answer: that is not the expression's fault, and worth another try.
        """
        request = _pack(source, values)
        async with self._turn:
            process = await self._take()
            try:
                async with asyncio.timeout(self._wall_s):
                    answer = await _ask(process, request)
            except (asyncio.IncompleteReadError, ConnectionError):
                await self._drop()
                raise ExpressionKilled(
                    f"The expression took more than {expression_process.CPU_S * 1000:.0f} ms of CPU, or too"
                    " much memory, and was ended; let a node compute what needs so much."
                ) from None
            except BaseException:  # too late, or this call was cancelled: its answer would be the next one's
                await self._drop()
                raise
        if "error" in answer:
            raise ExpressionFailed(f"The expression has no value here: {answer['error']}.")
        return answer["value"]

    async def close(self) -> None:
        """End both processes; nothing is evaluated afterwards."""
        self._closed = True
        async with self._turn:
            await self._drop()
            if self._spare is not None:
                with contextlib.suppress(OSError):
                    await _end(await self._spare)
                self._spare = None

    async def _take(self) -> asyncio.subprocess.Process:
        """Return the process whose turn it is, and see to it that there is a spare."""
        if self._closed:
            raise ShuttingDown("The server stops; nothing is evaluated any more.")
        if self._process is not None and self._process.returncode is not None:  # ended by somebody else
            await self._drop()
        if self._process is None:
            self._spare = self._spare or self._start()
            try:
                self._process = await asyncio.shield(self._spare)
            except OSError:
                self._spare = None  # the next call tries again
                raise
            self._spare = None
        if self._spare is None:
            self._spare = self._start()
        return self._process

    def _start(self) -> asyncio.Task[asyncio.subprocess.Process]:
        self.started += 1
        return asyncio.create_task(_start(self._wall_s), name="start a process for expressions")

    async def _drop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await asyncio.shield(_end(process))


def _pack(source: str, values: Mapping[str, JsonValue]) -> bytes:
    for value in values.values():
        _check_lists(value)
    body = json_bytes({"source": source, "values": dict(values)})
    if len(body) > VALUES_BYTES_MAX:
        raise ExpressionFailed(
            f"What the expression reads has {len(body):,} bytes; {VALUES_BYTES_MAX:,} are allowed. Read"
            " a part of it, by a longer path."
        )
    return _HEAD.pack(len(body)) + body


def _check_lists(value: JsonValue) -> None:
    if isinstance(value, list | dict):
        if isinstance(value, list) and len(value) > LIST_ITEMS_MAX:
            raise ExpressionFailed(
                f"The expression reads a list of {len(value):,} items; {LIST_ITEMS_MAX:,} are allowed. Let a"
                " node reduce it first."
            )
        for item in value.values() if isinstance(value, dict) else value:
            _check_lists(item)


async def _start(wall_s: float) -> asyncio.subprocess.Process:
    """Start a process and wait until it is ready; raises OSError, of which TimeoutError is one."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",  # neither the environment nor the current folder chooses what it loads
        str(_FILE),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,  # Ctrl-C is the server's
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(wall_s):
            await process.stdout.readexactly(_HEAD.size)
    except (asyncio.IncompleteReadError, TimeoutError) as error:
        await _end(process)
        log.warning("no process for expressions could be started", returncode=process.returncode)
        raise ChildProcessError("No process that evaluates expressions could be started.") from error
    return process


async def _ask(process: asyncio.subprocess.Process, request: bytes) -> dict[str, JsonValue]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    await process.stdin.drain()
    (size,) = _HEAD.unpack(await process.stdout.readexactly(_HEAD.size))
    answer: dict[str, JsonValue] = json.loads(await process.stdout.readexactly(size))
    return answer


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.stdin.close()
    await process.wait()
