"""What PostgreSQL's errors mean: to a work's caller, and to the lane that ran the work.

Owns the classification, nothing else. Raised in postgres_wire.py.
"""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors

from omium.errors import DatabaseCorrupt, StorageBusy, StorageFull
from omium.server.db.tx import ConstraintViolated

_KINDS: Final[dict[type[psycopg.Error], ConstraintViolated.Kind]] = {
    errors.UniqueViolation: "unique",
    errors.ForeignKeyViolation: "foreign-key",
    errors.CheckViolation: "check",
    errors.NotNullViolation: "not-null",
}
_REPEATABLE: Final = (errors.SerializationFailure, errors.DeadlockDetected)  # 40001 and 40P01
_BUSY: Final = (errors.QueryCanceled, errors.LockNotAvailable, errors.TooManyConnections)


def translate(error: psycopg.Error) -> Exception:
    """Return what `error` means to a work's caller; mistakes in a statement stay what they are."""
    if isinstance(error, psycopg.IntegrityError):
        kinds = [kind for cls, kind in _KINDS.items() if isinstance(error, cls)]
        return ConstraintViolated(str(error), kind=kinds[0] if kinds else "other")
    if isinstance(error, errors.DiskFull):
        return StorageFull()
    if isinstance(error, _BUSY):
        return StorageBusy("The database took too long, or another transaction holds its lock; try again.")
    if isinstance(error, (errors.DataCorrupted, errors.IndexCorrupted)):
        return DatabaseCorrupt(f"The database is damaged ({error}). Restore a backup.")
    if is_repeatable(error):
        return StorageBusy("Other transactions kept changing the same rows; try again.")
    if is_lost(error):
        return StorageBusy("The connection to the database was lost; try again.")
    return error


def is_repeatable(error: psycopg.Error) -> bool:
    """Say whether the transaction may be run again as it is: it met another one."""
    return isinstance(error, _REPEATABLE)


def is_crowded_out(error: psycopg.Error) -> bool:
    """Say whether a work that is alone, and waits longer, may get what it was refused here."""
    return is_repeatable(error) or isinstance(error, _BUSY)


def is_lost(error: psycopg.Error) -> bool:
    """Say whether the server or the connection to it went away."""
    if error.sqlstate is None:  # the driver's own: nothing came from the server
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(("08", "57P")) or error.sqlstate == "25P03"  # idle in transaction: ended
