"""Planted bugs: what each gate must catch. Never in the product; a test switches one on for itself.

    serve(bug="acknowledge-before-commit")     a server process that has it (the fixture of conftest.py)
    plant("no-fence", monkeypatch)             in the test's own process, until the test ends

A bug is one function that takes a MonkeyPatch: the smallest wrong turn that a colleague could take.
"""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from omium.server.db.settings import DatabaseSettings
from omium.server.db.sql import Sql
from omium.server.db.transaction import Params
from omium.server.db.works import Work

BUGS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {}


def bug(name: str) -> Callable[[Callable[[pytest.MonkeyPatch], None]], Callable[[pytest.MonkeyPatch], None]]:
    """Register the function below as the bug `name`."""

    def register(plant_it: Callable[[pytest.MonkeyPatch], None]) -> Callable[[pytest.MonkeyPatch], None]:
        assert name not in BUGS, f"two bugs are called {name!r}"
        BUGS[name] = plant_it
        return plant_it

    return register


def plant(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the bug `name` on, for as long as `monkeypatch` lasts."""
    BUGS[name](monkeypatch)


@bug("unknown-id-breaks")
def _break_on_unknown_ids(patch: pytest.MonkeyPatch) -> None:
    from omium.server.store import executions

    def found(row: executions.ExecutionRow | None, execution_id: str) -> executions.ExecutionRow:
        if row is None:
            raise KeyError(execution_id)
        return row

    patch.setattr(executions, "_found", found)


@bug("answers-more-than-described")
def _answer_more(patch: pytest.MonkeyPatch) -> None:
    from omium.server.web import answer

    to_json = answer.to_json
    patch.setattr(answer, "to_json", lambda reply: to_json(reply)[:-1] + b',"shard":7}')


@bug("acknowledge-before-commit")
def answer_before_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer a driver's writes once they have run; their COMMIT follows when there is time."""
    from omium.server.db.postgres_batches import PostgresBatches
    from omium.server.db.writer import Writer

    run_works, commit = Writer._run_works, PostgresBatches._commit

    def run_and_answer(self: Writer, connection: sqlite3.Connection, works: list[Work]) -> bool:
        whole = run_works(self, connection, works)
        self._queue.answer_soon([work for work in works if isinstance(work._result, list)])
        time.sleep(0.002)
        return whole

    def answer_and_commit(self: PostgresBatches, begun: Any, batch: Any) -> None:
        self._queue.answer_soon([work for work in batch.kept if isinstance(work._result, list)])
        time.sleep(0.002)
        commit(self, begun, batch)

    monkeypatch.setattr(Writer, "_run_works", run_and_answer)
    monkeypatch.setattr(PostgresBatches, "_commit", answer_and_commit)


@bug("repeat-is-new")
def take_repeats_for_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on as if a report that is there already had just been stored."""
    from omium.server.store import steps

    put_step = steps.put_step
    monkeypatch.setattr(steps, "put_step", lambda tx, step: put_step(tx, step) or True)


@bug("commit-each-statement")
def commit_each_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the transaction around a work."""
    from omium.server.db.sqlite_tx import SqliteTx

    run = SqliteTx._run

    def run_and_commit(self: SqliteTx, sql: Sql, params: Params) -> int:
        changes = run(self, sql, params)
        self._connection.execute("COMMIT")
        self._connection.execute("BEGIN IMMEDIATE")
        return changes

    monkeypatch.setattr(SqliteTx, "_run", run_and_commit)


@bug("io-errors-are-passing")
def take_io_errors_for_passing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell the client to try again, and go on with the next request."""
    from omium.server.db import writer

    monkeypatch.setattr(writer, "is_fatal", lambda _error: False)


@bug("copy-without-log")
def copy_without_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy a live database as one copies any file."""
    from omium.server.db import sqlite

    monkeypatch.setattr(sqlite, "copy_sqlite", copy_private)


def copy_private(source: Path, target: Path) -> None:
    target.touch(0o600)
    shutil.copyfile(source, target)


@bug("no-check-at-start")
def check_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the time of looking through the file."""
    from omium.server import app

    monkeypatch.setattr(app, "DatabaseSettings", partial(DatabaseSettings, checked_bytes=0))


@bug("no-lock")
def lock_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the lock file and forget to lock it."""
    import fcntl

    monkeypatch.setattr(fcntl, "flock", lambda _handle, _operation: None)


@bug("lost-batch-answered")
def answer_lost_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not look whether the transaction is still there: answer what each work returned."""
    from omium.server.db.writer import Writer

    def answer(self: Writer, _connection: sqlite3.Connection, works: list[Work]) -> list[Work]:
        self._count(works)
        return works

    monkeypatch.setattr(Writer, "_run_alone", answer)


@bug("log-without-sync")
def sync_at_checkpoints_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open the database as most advice on SQLite's log says: synchronous = NORMAL."""
    from omium.server.db import sqlite

    connect_writer = sqlite.connect_writer

    def connect_loosely(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
        connection = connect_writer(path, busy_timeout_s)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    monkeypatch.setattr(sqlite, "connect_writer", connect_loosely)


@bug("busy-is-a-mistake")
def take_a_busy_file_for_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Think of no process but one's own: a lock that is held is an error nobody has a name for."""
    from omium.server.db import writer

    monkeypatch.setattr(writer, "translate", lambda error: error)


@bug("full-is-busy")
def take_a_full_disk_for_a_busy_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell callers to try again, who then do it for ever."""
    from omium.errors import StorageBusy
    from omium.server.db import sqlite_tx

    monkeypatch.setattr(sqlite_tx, "StorageFull", lambda: StorageBusy("The database is busy; try again."))


@bug("ballast-is-kept")
def keep_the_ballast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep space for the day when there is none, and do not give it back on that day."""
    from omium.server.db import ballast

    monkeypatch.setattr(ballast, "release", lambda _database: 0)


@bug("migrate-in-pieces")
def migrate_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a migration as a script, as `executescript` would: it commits after every statement."""
    from omium.server.db import migrate

    split = migrate.split_sqlite

    def split_and_commit(script: str) -> Iterator[str]:
        for statement in split(script):
            yield statement
            yield "COMMIT"
            yield "BEGIN IMMEDIATE"

    monkeypatch.setattr(migrate, "split_sqlite", split_and_commit)


@bug("asynchronous-commit")
def commit_asynchronously(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer before PostgreSQL has written its log, for the speed of it."""
    import psycopg

    connect = psycopg.connect

    def connect_loosely(*arguments: Any, **chosen: Any) -> Any:
        connection = connect(*arguments, **chosen)
        connection.execute("SET synchronous_commit = off")
        execute = connection.execute

        def execute_unless_durable(query: Any, *others: Any, **options: Any) -> Any:
            return execute(
                "SELECT 1" if query == "SET synchronous_commit = on" else query, *others, **options
            )

        connection.execute = execute_unless_durable
        return connection

    monkeypatch.setattr(psycopg, "connect", connect_loosely)


def plant_for_good(name: str) -> None:
    """Switch a bug on in a process that is the test's own."""
    plant(name, pytest.MonkeyPatch())


@bug("no-fence")
def let_every_grant_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for neither epoch nor token: whoever once was granted an execution goes on writing."""
    from omium.server.db.tx import Sql
    from omium.server.engine import fence
    from omium.server.store import executions

    asked = "epoch = :epoch AND lease_digest = :lease_digest"
    assert asked in executions.FENCE.text
    open_fence = executions.FENCE.text.replace(asked, f"({asked} OR 1 = 1)")
    monkeypatch.setattr(executions, "FENCE", Sql(open_fence))
    monkeypatch.setattr(fence, "holds", lambda _row, _lease: True)


@bug("begun-counts-as-not-begun")
def forget_what_a_lost_driver_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an effect be called again that a lost driver had announced."""
    from omium.server.engine import effects
    from omium.server.store import effects as store

    monkeypatch.setattr(store, "cut_off_effects", lambda _tx, _execution_id: [])
    monkeypatch.setattr(effects, "_is_repeat", lambda _row, _known, _write: True)


@bug("any-json")
def read_any_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read bodies as the standard library does: the last of two keys wins, NaN is a number."""
    import json

    from omium.server.web import requests

    monkeypatch.setattr(requests, "parse_json", json.loads)


@bug("no-deadline")
def never_close_a_slow_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the rest of a request as long as it takes, as uvicorn and Starlette do."""
    from omium.server.web.protocol import ConnectionGuard

    monkeypatch.setattr(ConnectionGuard, "check", lambda _self: None)


@bug("leases-on-the-wall-clock")
def measure_leases_by_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the one clock that everybody knows."""
    from omium.server.db.transaction import DriverTx

    begin = DriverTx.__init__

    def begin_by_the_wall(self: DriverTx, now_us: int, _lease_now_us: int, **options: bool) -> None:
        begin(self, now_us, now_us, **options)

    monkeypatch.setattr(DriverTx, "__init__", begin_by_the_wall)


@bug("silence-is-a-loss")
def lose_who_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat a relaxed driver like a strict one: who does not beat is gone."""
    from omium.server.engine import leases
    from omium.states import Durability

    lose_driver = leases.lose_driver

    def lose_at_once(tx: Any, row: Any, policy: Any) -> Any:
        return lose_driver(tx, dataclasses.replace(row, durability=Durability.STRICT), policy)

    monkeypatch.setattr(leases, "lose_driver", lose_at_once)


@bug("results-by-number")
def find_results_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a call what is recorded at its number, whatever its input is."""
    from omium.sdk.book import Book

    look_up = Book.look_up

    def look_up_by_number(self: Book, *call: object, **options: object) -> object:
        return look_up(self, *call, **{**options, "match": "name"})  # type: ignore[arg-type]

    monkeypatch.setattr(Book, "look_up", look_up_by_number)


@bug("newest-first")
def send_the_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send what a dead process left from its end."""
    from omium.sdk import spooling

    read_entries = spooling.read_entries

    def read_backwards(*arguments: object) -> object:
        first, *others = read_entries(*arguments)  # type: ignore[arg-type]
        return iter([first, *reversed(others)])

    monkeypatch.setattr(spooling, "read_entries", read_backwards)


@bug("spool-without-sync")
def leave_the_spool_to_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write, and hope."""
    from omium.sdk import spool

    monkeypatch.setattr(spool.os, "fdatasync", lambda _descriptor: None)


@bug("no-tenant-filter")
def find_executions_of_any_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find an execution by its id alone: who knows it may see it."""
    from omium.server.db.tx import Sql
    from omium.server.store import executions

    asked = "tenant_id = :tenant_id"
    for name in ("FIND", "LOCK"):
        text = getattr(executions, name).text
        assert asked in text
        monkeypatch.setattr(executions, name, Sql(text.replace(asked, f"({asked} OR 1 = 1)")))


@bug("no-scope-check")
def let_everybody_do_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask who it is, and not what he may do."""
    from omium.server.principal import Principal

    monkeypatch.setattr(Principal, "require", lambda _principal, _scope: None)


@bug("ended-sessions-count")
def believe_ended_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at a session's secret, and not at whether it has ended."""
    from omium.server.web import session_auth

    monkeypatch.setattr(session_auth, "is_active", lambda _row: True)


@bug("no-sealing")
def seal_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store outputs as they come, whatever is in them."""
    from omium.server.engine import values

    monkeypatch.setattr(values, "has_secret", lambda _value: False)


@bug("read-then-write")
def look_outside_of_the_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look in a transaction of its own whether a request was answered before; then do what it asks."""
    from omium.server.store import idempotency as store
    from omium.server.web.idempotency import Answer, Database, IdempotentRequest

    find_record = store.find_record

    async def mutate(
        self: IdempotentRequest, db: Database, work: Callable[..., object], status: int
    ) -> Answer:
        known = await db.read(
            lambda tx: find_record(tx, self.tenant_id, self.principal_id, self.endpoint, self.key)
        )
        if known is not None:
            return self._repeat(known)
        return await db.write(lambda tx: self.run(tx, work, status))  # type: ignore[arg-type]

    monkeypatch.setattr(IdempotentRequest, "mutate", mutate)
    monkeypatch.setattr(store, "find_record", lambda *_key: None)
    insert_record = store.insert_record
    monkeypatch.setattr(store, "insert_record", lambda tx, **record: insert_record(tx, **record) or True)


@bug("any-grant-ends-a-task")
def let_any_grant_end_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a report of a task neither for its epoch nor for its token: whatever runs may be ended."""
    from omium.server.engine.nodes import tasks
    from omium.server.store import activations

    def find_running(work: Any, lease: Any) -> Any:
        row = activations.find_activation(work.tx, lease.execution_id, lease.path)
        return row if row is not None and row.state == "running" else None

    monkeypatch.setattr(tasks, "find_granted", find_running)


@bug("effects-are-repeatable")
def take_every_effect_for_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Think that whoever receives an effect knows a repeat by its key."""
    from omium.server.engine.nodes import claiming, tasks
    from omium.server.engine.nodes.places import is_effect

    for module in (claiming, tasks):
        monkeypatch.setattr(module, "is_effect", lambda *about: is_effect(*about) and "idempotent")


def main(name: str, data: str, port: str) -> int:
    """Run a server with the bug `name`, or with none where it is empty."""
    from omium.server.serve import run_server
    from omium.server.settings import ServerSettings

    if name:
        plant_for_good(name)
    return run_server(ServerSettings.load(data=Path(data), port=int(port)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
