"""One process for each open dashboard: started without a shell, with next to no environment.

What it logs in with goes through a pipe of its own, which nobody else can read; standard input and output
are the dashboard's keys and screen, as textual-serve speaks them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Final

from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from omium.tui.web.gate import Credential

PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "SYSTEMROOT")
STOP_S: Final = 5.0
"""How long a process may take to end when it is told to."""


class DashboardProcess(AppService):
    """The process of one open dashboard, with what it sends to the browser."""

    def __init__(
        self,
        credential: Credential,
        *,
        read_only: bool,
        config_folder: str,
        write_bytes: Callable[[bytes], Awaitable[None]],
        write_str: Callable[[str], Awaitable[None]],
        close: Callable[[], Awaitable[None]],
        log_out: Callable[[], None],
    ) -> None:
        super().__init__(
            "", write_bytes=write_bytes, write_str=write_str, close=close, download_manager=DownloadManager()
        )
        self._credential = credential
        self._read_only = read_only
        self._config_folder = config_folder
        self._log_out = log_out

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        """Return what textual-serve sets, and of this process's environment only what Python needs."""
        wanted = super()._build_environment(width, height)
        own = {name: value for name, value in wanted.items() if name in PASSED_ON}
        made = {name: value for name, value in wanted.items() if name not in os.environ}
        screen = {name: wanted[name] for name in ("COLUMNS", "ROWS")}
        return {**own, **made, **screen, "OMIUM_CONFIG_DIR": self._config_folder}

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        """Start the process and hand it its credential, which is gone with a process that dies first."""
        inside, outside = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # nothing of the folder in which this was started is code
                "-m",
                "omium.tui.web.child",
                str(inside),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._build_environment(width, height),
                pass_fds=(inside,),
            )
            told = {**asdict(self._credential), "read_only": self._read_only}
            os.write(outside, json.dumps(told).encode())
        finally:
            os.close(inside)
            os.close(outside)
        assert process.stdin is not None
        self._process, self._stdin = process, process.stdin
        return process

    async def run(self) -> None:
        """Pass on what the process draws; when it has ended, however that came, its socket ends too."""
        try:
            await super().run()
        finally:
            await self.remote_close()

    async def stop(self) -> None:
        """End the process, by force where it does not end when it is told to; returns when it is gone."""
        process, task = self._process, self._task
        if process is None:
            return
        assert process.stdout is not None
        try:
            async with asyncio.timeout(STOP_S):
                await self.send_meta({"type": "quit"})
                await process.wait()
        except TimeoutError:
            pass  # it hangs, or its browser reads no more
        finally:  # also where this process is told to end meanwhile
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            if task is not None:
                task.cancel()
                await asyncio.wait({task}, timeout=STOP_S)
            with contextlib.suppress(RuntimeError):  # a task that did not end still reads
                await process.stdout.read()  # what is left holds the pipe open
            await process.wait()

    async def on_data(self, payload: bytes) -> None:
        """Pass on what was drawn; without a browser it is read all the same, or the process hangs."""
        with contextlib.suppress(ConnectionError):
            await super().on_data(payload)

    async def on_meta(self, data: bytes) -> None:
        """Pass on the end and logging out; in a browser it opens no addresses and delivers no files."""
        match json.loads(data).get("type"):
            case "exit":
                await self.remote_close()
            case "log_out":
                self._log_out()
            case _:
                pass
