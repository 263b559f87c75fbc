"""A program that fills its disk, a small one of its own: run by test_full_disk.py inside a mount namespace.

python full_disk.py FOLDER MIGRATIONS
"""

import asyncio
import os
import sys
from pathlib import Path

from omium.clock import SystemClock
from omium.errors import StorageFull
from omium.server.db import writer
from omium.server.db.open import open_database
from omium.server.db.settings import DatabaseSettings
from omium.server.db.tx import Sql

INSERT = Sql("INSERT INTO items (id, owner, size, body) VALUES (:id, 'a', 0, :body)")
COUNT = Sql("SELECT count(*) FROM items")
BODY = os.urandom(3_000)


def fill(folder: Path) -> Path:
    """Take what the disk has left, to the last byte."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return path


async def main(folder: Path, migrations: Path) -> None:
    writer.CHECKPOINT_CHANGES = 50  # type: ignore[misc]
    settings = DatabaseSettings(migrations=migrations, connections=1, ballast_bytes=256 << 10)
    url = str(folder / "omium.sqlite")
    database = await open_database(url, clock=SystemClock(), settings=settings)

    async def write(name: str) -> str:
        return await database.write(lambda tx: [tx.execute(INSERT, id=name, body=BODY), name][1])

    acknowledged = {await write(f"before-{number}") for number in range(30)}
    filler = fill(folder)
    outcomes = await asyncio.gather(
        *(write(f"full-{number}") for number in range(2_000)), return_exceptions=True
    )
    acknowledged |= {outcome for outcome in outcomes if isinstance(outcome, str)}
    errors = {type(outcome) for outcome in outcomes if not isinstance(outcome, str)}
    assert errors == {StorageFull}, errors
    assert await database.read(lambda tx: tx.value(COUNT)) == len(acknowledged), "reads go on"

    filler.unlink()
    acknowledged.add(await write("after"))  # without a restart
    await database.close()

    filler = fill(folder)
    database = await open_database(
        url, clock=SystemClock(), settings=settings
    )  # the ballast makes room for it
    assert await database.read(lambda tx: tx.value(COUNT)) == len(acknowledged)
    assert not (folder / "omium.sqlite.ballast").exists()
    assert await database.integrity_problems() == []
    await database.close()
    print("done")


asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
