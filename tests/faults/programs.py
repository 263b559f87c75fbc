"""Programs that gates run in children of their own, to be killed, traced or starved there.

Each prints one line for everything that was acknowledged to it, with one write() of its own. None knows that
something is going to happen to it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from omium.clock import SystemClock
from omium.logs import configure_logs
from omium.server.db import writer
from omium.server.db.open import open_database
from omium.server.db.settings import DatabaseSettings
from tests.db import load
from tests.faults import planted
from tests.faults.life import life_id, open_life

BARE = DatabaseSettings(connections=1, ballast_bytes=0)


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def live(data: Path, executions: int) -> None:
    """Live through `executions` lives one after the other, with a checkpoint of the log now and then."""
    configure_logs("console", "warning")
    writer.CHECKPOINT_CHANGES = 60  # type: ignore[misc]

    async def main() -> None:
        async with open_life(data) as life:
            for number in range(executions):
                await life.live(life_id(number), say)

    asyncio.run(main())


def live_with(data: Path, bug: str, executions: int) -> None:
    """The same with a planted bug."""
    planted.plant_for_good(bug)
    live(data, executions)


def migrate(data: Path) -> None:
    """Make a database and bring its schema up to date."""

    async def main() -> None:
        database = await open_database(str(data / "omium.sqlite"), clock=SystemClock(), settings=BARE)
        await database.close()

    asyncio.run(main())


def migrate_with(data: Path, bug: str) -> None:
    """The same with a planted bug."""
    planted.plant_for_good(bug)
    migrate(data)


def write_items(file: Path, migrations: Path, clients: int, works: int, synchronous: str = "") -> None:
    """Fill the small schema of tests/db as fast as it goes, with many checkpoints (tests/db/load.py)."""
    asyncio.run(load.main(str(file), str(migrations), clients, works, synchronous))
