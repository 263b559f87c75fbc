"""What a browser says on a dashboard's socket, as textual-serve's script spells it: `["resize", {...}]`.

Owns telling keys, sizes and focus from nonsense; sockets are server.py's, processes are sessions.py's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Final

from omium.tui.web.sessions import DashboardProcess

COLUMNS_MAX: Final = 500
LINES_MAX: Final = 200


async def pass_on(
    texts: AsyncIterator[str], process: DashboardProcess, answer: Callable[[object], Awaitable[None]]
) -> None:
    """Pass on what a browser says to its dashboard, until it says what no terminal would."""
    async for text in texts:
        try:
            told: object = json.loads(text)
        except (ValueError, RecursionError):
            return
        match told:
            case ["stdin", str() as keys]:
                await process.send_bytes(keys.encode(errors="replace"))
            case ["resize", {"width": int() as width, "height": int() as height}]:
                await process.set_terminal_size(within(width, COLUMNS_MAX), within(height, LINES_MAX))
            case ["ping", (str() | int()) as sent]:
                await answer(["pong", sent])
            case ["blur"]:
                await process.blur()
            case ["focus"]:
                await process.focus()
            case _:
                return


def within(given: int, most: int) -> int:
    """Return `given` as a number of columns, lines or pixels from 1 to `most`."""
    return min(max(given, 1), most)


async def first_of(*works: Coroutine[Any, Any, object]) -> None:
    """Do all of them until one has ended; raises what that one raised."""
    tasks = [asyncio.ensure_future(each) for each in works]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
