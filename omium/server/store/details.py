"""Details: what an execution took, gave and was asked for, beside its small hot row.

`input`, `output` and `edits` are value columns; `error`, `process`, `code`, `limits`, `running` are JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class DetailsRow:
    """A row of `execution_details`; `running` are the paths of the latest heartbeat."""

    execution_id: str
    request_digest: str
    input: bytes
    input_digest: str
    comparable: str
    output: bytes | None
    error: bytes | None
    process: bytes | None
    code: bytes | None
    limits: bytes
    edits: bytes | None
    running: bytes | None


_NAMES = tuple(field.name for field in fields(DetailsRow))
COLUMNS = ", ".join(_NAMES)

INSERT = Sql(f"""
    INSERT INTO execution_details ({COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
""")


def insert_details(tx: Tx, row: DetailsRow) -> None:
    tx.execute(INSERT, **{name: getattr(row, name) for name in _NAMES})


GET = Sql(f"SELECT {COLUMNS} FROM execution_details WHERE execution_id = :execution_id")


def get_details(tx: Tx, execution_id: str) -> DetailsRow:
    """Return the details of an execution that exists: the same transaction has inserted both."""
    return tx.one(GET, DetailsRow, execution_id=execution_id)


def find_details(tx: Tx, execution_id: str) -> DetailsRow | None:
    """Return the details of an execution, None where retention has removed it."""
    return tx.one_or_none(GET, DetailsRow, execution_id=execution_id)


SET_OUTPUT = Sql("""
    UPDATE execution_details SET output = :output, error = NULL, running = NULL
     WHERE execution_id = :execution_id
""")


def set_output(tx: Tx, execution_id: str, output: bytes) -> None:
    tx.execute(SET_OUTPUT, execution_id=execution_id, output=output)


SET_ERROR = Sql("""
    UPDATE execution_details SET error = :error, running = NULL WHERE execution_id = :execution_id
""")


def set_error(tx: Tx, execution_id: str, error: bytes | None) -> None:
    """Set the error that the execution ended with (JSON, redacted), or None."""
    tx.execute(SET_ERROR, execution_id=execution_id, error=error)


SET_RUNNING = Sql("UPDATE execution_details SET running = :running WHERE execution_id = :execution_id")


def set_running(tx: Tx, execution_id: str, running: bytes | None) -> None:
    """Note which steps run now, as JSON list of paths; None when nothing drives it."""
    tx.execute(SET_RUNNING, execution_id=execution_id, running=running)


SET_DRIVER = Sql("""
    UPDATE execution_details
       SET process = :process, code = COALESCE(:code, code), running = NULL
     WHERE execution_id = :execution_id
""")


def set_driver(tx: Tx, execution_id: str, process: bytes | None, code: bytes | None) -> None:
    """Note who drives it from now on; a driver that doesn't tell its code leaves the recorded one."""
    tx.execute(SET_DRIVER, execution_id=execution_id, process=process, code=code)
