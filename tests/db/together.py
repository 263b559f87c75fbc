"""Make works wait until all of them do, so that one batch takes them."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from omium.server.db import writer
from omium.server.db.tx import Database, Tx


async def write_together(database: Database, *works: Callable[[Tx], Any]) -> list[Any]:
    """Return the outcomes (results and exceptions) of works that shared a batch, in order."""
    gate = threading.Event()

    def hold(_tx: Tx) -> None:
        assert gate.wait(30)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "BATCH_S", 30)  # the held work makes its batch old
        tasks = [asyncio.ensure_future(database.write(work)) for work in (hold, *works)]
        await asyncio.sleep(0)  # each task has submitted its work now
        gate.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    return outcomes[1:]
