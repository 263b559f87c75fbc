"""Failed log-ins, counted by a digest of the account's name or of the address."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class FailureCount:
    """How often it failed without a success between, and when last."""

    failures: int
    last_us: int


ENSURE = Sql("""
    INSERT INTO login_failures (digest, failures, last_us) VALUES (:digest, 0, :now_us)
    ON CONFLICT (digest) DO NOTHING
""")
LOCK = Sql("SELECT failures, last_us FROM login_failures WHERE digest = :digest {for_update}")


def lock_count(tx: Tx, digest: bytes) -> FailureCount:
    """Return the count, locked: whoever tries at the same moment waits for this one's count."""
    tx.execute(ENSURE, digest=digest, now_us=tx.now_us)
    return tx.one(LOCK, FailureCount, digest=digest)


SET = Sql("UPDATE login_failures SET failures = :failures, last_us = :now_us WHERE digest = :digest")


def set_count(tx: Tx, digest: bytes, failures: int) -> None:
    tx.execute(SET, digest=digest, failures=failures, now_us=tx.now_us)


FORGIVE = Sql("UPDATE login_failures SET failures = failures - 1 WHERE digest = :digest AND failures > 0")


def forgive_one(tx: Tx, digest: bytes) -> None:
    """Take one failure back: it was a success in the end."""
    tx.execute(FORGIVE, digest=digest)


FORGET = Sql("DELETE FROM login_failures WHERE digest = :digest")


def forget(tx: Tx, digest: bytes) -> None:
    tx.execute(FORGET, digest=digest)


DELETE_OLD = Sql("""
    DELETE FROM login_failures WHERE digest IN
      (SELECT digest FROM login_failures WHERE last_us < :before_us ORDER BY last_us LIMIT :limit)
""")


def delete_old(tx: Tx, before_us: int, limit: int) -> int:
    """Remove up to `limit` counts that nothing was added to since `before_us`."""
    return tx.execute(DELETE_OLD, before_us=before_us, limit=limit)
