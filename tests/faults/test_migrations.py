"""A migration that is killed: the old schema or the new one, and the next start completes it."""

import asyncio
import shutil

import pytest

from omium.clock import ManualClock
from omium.errors import StorageError
from omium.server.db.migrate import FOLDER, list_migrations
from omium.server.db.open import open_database
from omium.server.db.settings import DatabaseSettings
from omium.server.db.tx import Sql
from tests.faults import programs
from tests.faults.forks import needs_strace
from tests.faults.test_points import choose, kill_at, list_points

TABLES = Sql("SELECT type || ' ' || name || coalesce(sql, '') FROM sqlite_schema ORDER BY type, name")

pytestmark = needs_strace


async def open_file(data):
    settings = DatabaseSettings(connections=1, ballast_bytes=0)
    return await open_database(str(data / "omium.sqlite"), clock=ManualClock(), settings=settings)


async def read_schema(data):
    """Bring the database up to date, as the next start does; return its schema."""
    database = await open_file(data)
    try:
        return await database.read(lambda tx: tx.all(TABLES, str)), await database.integrity_problems()
    finally:
        await database.close()


async def try_kills(gate, tmp_path, *program):
    (empty := tmp_path / "empty").mkdir()
    (whole := tmp_path / "whole").mkdir()
    expected, _ = await read_schema(whole)
    points = await asyncio.to_thread(list_points, empty, tmp_path, *program)
    gate.figure("points of the migrations", len(points))
    gate.figure("migrations", len(list_migrations(FOLDER)))
    for number, point in enumerate(chosen := choose(gate, points, short=16), start=1):
        data, _, killed = await asyncio.to_thread(kill_at, point, empty, tmp_path, *program)
        try:
            schema, problems = await read_schema(data)
        except StorageError as error:
            gate.lost(1, f"{point}: the next start says {error}")
        else:
            gate.lost(schema != expected or bool(problems), f"{point}: {problems or schema}")
        gate.tried(int(killed), "points")
        gate.show_progress(number, len(chosen))
        shutil.rmtree(data)
        if gate.bug is not None and gate.losses:
            return


@pytest.mark.gate(
    promise="A migration that is interrupted leaves the old schema or the new one, and the next start"
    " completes it.",
    fault="SIGKILL at every write, sync, truncation and unlink while a new database gets its schema",
)
async def test_a_killed_migration_is_completed_by_the_next_start(gate, tmp_path):
    await try_kills(gate, tmp_path, programs.migrate)


@pytest.mark.planted(
    bug="Each statement of a migration commits by itself",
    gate="test_a_killed_migration_is_completed_by_the_next_start",
)
async def test_the_gate_catches_a_migration_in_pieces(trial, tmp_path):
    await try_kills(trial, tmp_path, programs.migrate_with, "migrate-in-pieces")
