"""A program that writes as fast as it can and says what was acknowledged; traced and killed by tests.

    python load.py URL MIGRATIONS CLIENTS WORKS [SYNCHRONOUS]

Prints one line per acknowledged item, each with one write() of its own. Makes checkpoints often, so that they
are among what is interrupted.
"""

import asyncio
import os
import sys
from pathlib import Path

from omium.clock import SystemClock
from omium.server.db import writer
from omium.server.db.open import open_database
from omium.server.db.settings import DatabaseSettings
from omium.server.db.tx import Sql

INSERT = Sql("INSERT INTO items (id, owner, size, body) VALUES (:id, :owner, :size, :body)")
GROW = Sql("UPDATE items SET size = size + 1 WHERE id = :id RETURNING size")
BODY = b"x" * 500


async def main(url: str, migrations: str, clients: int, works: int, synchronous: str) -> None:
    writer.CHECKPOINT_CHANGES = 200  # type: ignore[misc]
    settings = DatabaseSettings(migrations=Path(migrations), connections=1, ballast_bytes=0)
    database = await open_database(url, clock=SystemClock(), settings=settings)
    if synchronous:
        connection = database._connections[0]  # type: ignore[attr-defined]
        await connection.execute_function(lambda raw: raw.execute(f"PRAGMA synchronous = {synchronous}"))
    os.write(1, b"ready\n")

    async def client(name: str) -> None:
        for number in range(works // clients):

            def work(tx, number=number):
                item = f"{name}-{number:05}"
                tx.execute(INSERT, id=item, owner=name, size=0, body=BODY)
                tx.one(GROW, int, id=item)
                return item

            os.write(1, f"{await database.write(work)}\n".encode())

    start = os.urandom(4).hex()
    await asyncio.gather(*(client(f"{start}-{number:03}") for number in range(clients)))
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4]), (sys.argv[5:] or [""])[0]))  # type: ignore[call-arg]
