"""PostgresWire: statements on one connection, several in one round trip.

Owns libpq's pipeline mode, prepared statements, and what a value looks like on the wire. A statement whose
result nobody waits for (`post`) stays here until the next one whose result is needed (`fetch`), and travels
with it. Does not know works or batches: postgres_tx.py, postgres_lane.py and postgres_batches.py do.

The driver's own cursor costs three times as much for each statement as libpq below it, and waits for each.
"""

from __future__ import annotations

import select
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import psycopg
from psycopg import errors, pq
from psycopg.adapt import Transformer

from omium.server.db.postgres_connection import PgConnection
from omium.server.db.postgres_errors import is_lost
from omium.server.db.sql import Sql
from omium.server.db.transaction import Params, Row
from omium.server.db.tx import SqlValue

MOST_STATEMENTS: Final = 300  # known on a connection; the server plans and keeps those that are used again
PREPARED_AT_USE: Final = 3
MOST_POSTED: Final = 500  # what waits here is bounded: thousands of rows go in several round trips
_TYPES: Final = {int: 20, str: 25, bytes: 17, type(None): 0}  # bigint, text, bytea, whatever the column is
_BINARY: Final = pq.Format.BINARY
_EVENTS: Final = {False: select.POLLIN, True: select.POLLIN | select.POLLOUT}
_DONE: Final = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.EMPTY_QUERY})

Result = pq.abc.PGresult


class EarlierFailed(Exception):
    """What was posted for an earlier work has failed, so this statement did not run; nothing can be kept."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__(f"a statement of an earlier work failed: {error}")
        self.error = error


class CommitLost(Exception):
    """The connection was lost when COMMIT was sent already: nobody can say what became of it."""


class _Statement:
    """A statement with one choice of parameter types, as one connection knows it."""

    __slots__ = ("columns", "formats", "is_command", "name", "text", "transformer", "types", "uses")

    def __init__(
        self, text: bytes, types: list[int], connection: PgConnection, *, is_command: bool = False
    ) -> None:
        self.text = text
        self.types = types
        self.formats = [_BINARY] * len(types)
        self.is_command = is_command  # prepared under its own text, so that it is seen on the wire
        self.name = b""  # prepared under this name; b"" while it is not
        self.uses = 0
        self.columns: list[str] | None = None
        self.transformer = Transformer(connection)

    def load(self, result: Result) -> list[Row]:
        """Return the rows of `result`, each value as Python's own type."""
        first = self.columns is None
        if first:
            self.columns = [(result.fname(number) or b"").decode() for number in range(result.nfields)]
        if not self.columns:
            return []
        self.transformer.set_pgresult(result, set_loaders=first)
        return self.transformer.load_rows(0, result.ntuples, tuple)


_Entry = tuple[_Statement, Sequence[bytes | None]]


class PostgresWire:
    """One connection in pipeline mode; used by one thread at a time."""

    def __init__(self, connection: PgConnection) -> None:
        self._connection = connection
        self._libpq = connection.pgconn
        self._libpq.enter_pipeline_mode()
        self._poll = select.poll()
        self._watched_for_writing: bool | None = None
        self._statements: OrderedDict[tuple[Sql, tuple[type, ...]], _Statement] = OrderedDict()
        self._commands: dict[str, _Statement] = {}
        self._forgotten: list[_Statement] = []
        self._posted: list[_Entry] = []
        self._posted_before = 0  # statements that have left `_posted`
        self._own_from = 0  # statements with a lower number belong to earlier works
        self._prepared = 0
        self.earlier_error: psycopg.Error | None = None  # the transaction holds an earlier work that failed

    @property
    def is_closed(self) -> bool:
        """Whether the connection cannot be used any more."""
        return self._libpq.status == pq.ConnStatus.BAD

    def close(self) -> None:
        """Close the connection; a transaction that is open on it is dropped by the server."""
        self._connection.close()

    # ---- statements

    def post(self, sql: Sql, params: Params) -> None:
        """Run `sql` with the next statement; an error shows there."""
        if len(self._posted) >= MOST_POSTED:
            self.flush()
        self._posted.append(self._entry(sql, params))

    def post_command(self, text: str) -> None:
        """Run BEGIN, SAVEPOINT, RELEASE or ROLLBACK with the next statement."""
        statement = self._commands.get(text)
        if statement is None:
            statement = self._commands[text] = _Statement(
                text.encode(), [], self._connection, is_command=True
            )
        self._posted.append((statement, []))

    def begin(self, text: str) -> None:
        """Begin a transaction with the next statement; what is prepared and not used any more goes first."""
        for statement in self._forgotten:
            forget = _Statement(b"DEALLOCATE " + statement.name, [], self._connection)
            self._posted.append((forget, []))
        self._forgotten.clear()
        self.post_command(text)

    def fetch(self, sql: Sql, params: Params) -> tuple[_Statement, Result]:
        """Run what was posted, then `sql`, and return its result.

        Raises `psycopg.Error` for the first of them that failed since `begin_work`, `EarlierFailed` for one
        before.
        """
        entry = self._entry(sql, params)
        self._posted.append(entry)
        return entry[0], self._exchange()[-1]

    def run_many(self, sql: Sql, rows: Sequence[Params]) -> int:
        """Run `sql` for each of `rows` and return how many rows of the table it touched."""
        self.flush()
        touched = 0
        for start in range(0, len(rows), MOST_POSTED):
            self._posted += [self._entry(sql, row) for row in rows[start : start + MOST_POSTED]]
            touched += self.flush()
        return touched

    def command(self, text: str) -> Result:
        """Run what was posted, then the command `text`, and return its result."""
        self.post_command(text)
        return self._exchange()[-1]

    def flush(self) -> int:
        """Run what was posted and return how many rows it touched."""
        return sum(result.command_tuples or 0 for result in self._exchange()) if self._posted else 0

    def commit(self) -> None:
        """Run what was posted, then COMMIT.

        Raises `CommitLost` where the connection broke; for any other error nothing was committed.
        """
        self.post_command("COMMIT")
        try:
            status = self._exchange()[-1].command_status
        except psycopg.Error as error:
            if is_lost(error) or self.is_closed:
                raise CommitLost from error
            raise
        if status != b"COMMIT":  # PostgreSQL answers "ROLLBACK", not an error, when a statement had failed
            raise psycopg.DatabaseError(f"COMMIT was answered with {status!r}")

    def rollback(self) -> None:
        """Drop what was posted, and end the transaction if one is open; a broken connection has none."""
        self.drop_since(self._posted_before)
        self.earlier_error = None
        if not self.is_closed and self._libpq.transaction_status != pq.TransactionStatus.IDLE:
            self._own_from = self._posted_before
            self.command("ROLLBACK")

    # ---- who a statement belongs to

    def begin_work(self) -> int:
        """Say that what comes now belongs to another work than what came before; return a mark."""
        self._own_from = self.mark()
        return self._own_from

    def mark(self) -> int:
        """Return the number that the next statement gets."""
        return self._posted_before + len(self._posted)

    def drop_since(self, mark: int) -> bool:
        """Forget what was posted since `mark` and has not been sent; say whether that was all of it."""
        del self._posted[max(mark - self._posted_before, 0) :]
        return mark >= self._posted_before

    # ---- inner

    def _entry(self, sql: Sql, params: Params) -> _Entry:
        values: list[SqlValue] = [params[name] for name in sql.places]
        types = tuple(map(type, values))
        statement = self._find(sql, types)
        encoded = [
            value.encode()
            if type(value) is str
            else value.to_bytes(8, signed=True)
            if type(value) is int
            else value
            for value in values
        ]
        return statement, encoded  # type: ignore[return-value]  # DriverTx lets nothing else through

    def _find(self, sql: Sql, types: tuple[type, ...]) -> _Statement:
        statement = self._statements.get((sql, types))
        if statement is not None:
            self._statements.move_to_end((sql, types))
            return statement
        oids = [_TYPES[kind] for kind in types]
        statement = _Statement(sql.render("postgres").encode(), oids, self._connection)
        self._statements[sql, types] = statement
        if len(self._statements) > MOST_STATEMENTS:
            _, oldest = self._statements.popitem(last=False)
            if oldest.name:
                self._forgotten.append(oldest)
        return statement

    def _exchange(self) -> list[Result]:
        """Send everything that was posted, wait for all results, and return them in order."""
        entries, self._posted = self._posted, []
        first = self._posted_before
        self._posted_before += len(entries)
        prepared = [self._send(entry) for entry in entries]
        self._libpq.pipeline_sync()
        results: list[Result] = []
        failed: tuple[int, psycopg.Error] | None = None
        try:
            for number, (statement, _) in enumerate(entries):
                if prepared[number] and (result := self._result()).status not in _DONE:
                    statement.name, statement.uses = b"", 0
                    failed = failed or _failure(first + number, result)
                result = self._result()
                results.append(result)
                if result.status not in _DONE:
                    failed = failed or _failure(first + number, result)
            synced = self._next()
            assert synced is not None, "a pipeline ends with what was asked for"
            assert synced.status == pq.ExecStatus.PIPELINE_SYNC, "a pipeline ends with what was asked for"
        except psycopg.Error:
            if failed is None:
                raise  # else the server has said why it goes away
        if failed is not None:
            number, error = failed
            if number < self._own_from:
                self.earlier_error = error
                raise EarlierFailed(error)
            raise error
        return results

    def _send(self, entry: _Entry) -> bool:
        """Queue one statement in libpq; True if it is prepared on the way."""
        statement, values = entry
        formats = statement.formats
        statement.uses += 1
        fresh = not statement.name and statement.uses >= PREPARED_AT_USE
        if fresh:
            self._prepared += 1
            statement.name = statement.text if statement.is_command else b"s%d" % self._prepared
            self._libpq.send_prepare(statement.name, statement.text, statement.types)
        if statement.name:
            self._libpq.send_query_prepared(statement.name, values, formats, _BINARY)
        else:
            self._libpq.send_query_params(statement.text, values, statement.types, formats, _BINARY)
        return fresh

    def _result(self) -> Result:
        """Return one statement's result, and read the end mark behind it."""
        result = self._next()
        if result is None:
            raise psycopg.OperationalError("the connection to the server was lost")
        self._next()
        return result

    def _next(self) -> Result | None:
        """Return libpq's next result, waiting without the interpreter."""
        libpq = self._libpq
        while libpq.is_busy():
            if (writing := bool(libpq.flush())) is not self._watched_for_writing:
                self._poll.register(libpq.socket, _EVENTS[writing])
                self._watched_for_writing = writing
            self._poll.poll()
            libpq.consume_input()
        return libpq.get_result()


def _failure(number: int, result: Result) -> tuple[int, psycopg.Error] | None:
    """Return the error that `result` stands for; None for one that was skipped because of another's."""
    if result.status == pq.ExecStatus.PIPELINE_ABORTED:
        return None
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    kind: type[psycopg.Error] = psycopg.OperationalError  # without a state: libpq's own, the server is gone
    if state:
        try:
            kind = errors.lookup(state)
        except KeyError:
            kind = psycopg.DatabaseError
    error = kind((result.error_message or b"").decode(errors="replace").removeprefix("ERROR:").strip())
    if error.sqlstate is None and state:
        error.sqlstate = state
    return number, error
