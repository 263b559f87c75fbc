"""Sessions: one row for each log-in of a person, with the digest of its secret."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A row of `sessions`. `expires_us` is the fixed end; being idle ends a session earlier."""

    id: str
    user_id: str
    tenant_id: str
    environment: str
    digest: bytes
    agent: str
    address: str
    created_us: int
    last_used_us: int
    expires_us: int
    ended_us: int | None


@dataclass(frozen=True, slots=True)
class StandingSession:
    """A session with what its person is there now; `role` is None where he is no member any more."""

    id: str
    user_id: str
    tenant_id: str
    environment: str
    digest: bytes
    last_used_us: int
    expires_us: int
    ended_us: int | None
    status: str
    server_owner: int
    role: str | None
    tenant_deleted_us: int | None


_COLUMNS = """id, user_id, tenant_id, environment, digest, agent, address, created_us, last_used_us,
              expires_us, ended_us"""

INSERT_SESSION = Sql(f"""
    INSERT INTO sessions ({_COLUMNS}) VALUES (:id, :user_id, :tenant_id, :environment, :digest, :agent,
            :address, :created_us, :last_used_us, :expires_us, :ended_us)
""")


def insert_session(tx: Tx, row: SessionRow) -> None:
    tx.execute(INSERT_SESSION, **{name: getattr(row, name) for name in SessionRow.__slots__})


FIND_STANDING = Sql("""
    SELECT s.id AS id, s.user_id AS user_id, s.tenant_id AS tenant_id, s.environment AS environment,
           s.digest AS digest, s.last_used_us AS last_used_us, s.expires_us AS expires_us,
           s.ended_us AS ended_us, u.status AS status, u.server_owner AS server_owner, m.role AS role,
           t.deleted_us AS tenant_deleted_us
      FROM sessions s
      JOIN users u ON u.id = s.user_id
      JOIN tenants t ON t.id = s.tenant_id
      LEFT JOIN memberships m ON m.tenant_id = s.tenant_id AND m.user_id = s.user_id
     WHERE s.id = :id
""")


def find_standing(tx: Tx, session_id: str) -> StandingSession | None:
    """Return the session of whoever has it: for authentication only."""
    return tx.one_or_none(FIND_STANDING, StandingSession, id=session_id)


LIST_SESSIONS = Sql(f"""
    SELECT {_COLUMNS} FROM sessions
     WHERE user_id = :user_id AND ended_us IS NULL AND expires_us > :now_us AND last_used_us > :idle_us
       AND (created_us, id) < (:before_us, :before_id)
     ORDER BY created_us DESC, id DESC LIMIT :limit
""")


def list_sessions(
    tx: Tx, user_id: str, idle_us: int, before_us: int, before_id: str, limit: int
) -> list[SessionRow]:
    """Return up to `limit` open sessions of a user, newest first; `idle_us` is what counts as idle."""
    return tx.all(
        LIST_SESSIONS,
        SessionRow,
        user_id=user_id,
        now_us=tx.now_us,
        idle_us=tx.now_us - idle_us,
        before_us=before_us,
        before_id=before_id,
        limit=limit,
    )


TOUCH_SESSION = Sql("UPDATE sessions SET last_used_us = :now_us WHERE id = :id AND last_used_us < :before_us")


def touch_session(tx: Tx, session_id: str, throttle_us: int) -> None:
    """Note that the session is in use, unless that was noted within `throttle_us`."""
    tx.execute(TOUCH_SESSION, id=session_id, now_us=tx.now_us, before_us=tx.now_us - throttle_us)


END_SESSION = Sql("""
    UPDATE sessions SET ended_us = :now_us WHERE id = :id AND user_id = :user_id AND ended_us IS NULL
""")


def end_session(tx: Tx, user_id: str, session_id: str) -> bool:
    """End the user's own session; False if there is none, or it has ended before."""
    return tx.execute(END_SESSION, id=session_id, user_id=user_id, now_us=tx.now_us) == 1


IS_OF_USER = Sql("SELECT id FROM sessions WHERE id = :id AND user_id = :user_id")


def is_of_user(tx: Tx, user_id: str, session_id: str) -> bool:
    """Say whether the session is one of the user's, open or not."""
    return tx.one_or_none(IS_OF_USER, str, id=session_id, user_id=user_id) is not None


END_OLDEST = Sql("""
    UPDATE sessions SET ended_us = :now_us
     WHERE user_id = :user_id AND ended_us IS NULL AND id NOT IN (
       SELECT id FROM sessions WHERE user_id = :user_id AND ended_us IS NULL
        ORDER BY created_us DESC, id DESC LIMIT :kept)
""")


def end_oldest(tx: Tx, user_id: str, kept: int) -> None:
    """End the user's oldest sessions, so that `kept` are left."""
    tx.execute(END_OLDEST, user_id=user_id, kept=kept, now_us=tx.now_us)


END_OF_USER = Sql("""
    UPDATE sessions SET ended_us = :now_us
     WHERE user_id = :user_id AND id <> :kept AND ended_us IS NULL RETURNING id
""")


def end_of_user(tx: Tx, user_id: str, kept: str = "") -> list[str]:
    """End the user's sessions but `kept`, and return their ids."""
    return tx.all(END_OF_USER, str, user_id=user_id, kept=kept, now_us=tx.now_us)


END_OF_MEMBER = Sql("""
    UPDATE sessions SET ended_us = :now_us
     WHERE tenant_id = :tenant_id AND user_id = :user_id AND ended_us IS NULL RETURNING id
""")


def end_of_member(tx: Tx, tenant_id: str, user_id: str) -> list[str]:
    """End the user's sessions in one tenant, and return their ids."""
    return tx.all(END_OF_MEMBER, str, tenant_id=tenant_id, user_id=user_id, now_us=tx.now_us)


LIST_IDS_OF_MEMBER = Sql("""
    SELECT id FROM sessions WHERE tenant_id = :tenant_id AND user_id = :user_id AND ended_us IS NULL
""")


def list_ids_of_member(tx: Tx, tenant_id: str, user_id: str) -> list[str]:
    """Return the ids of the user's open sessions in one tenant."""
    return tx.all(LIST_IDS_OF_MEMBER, str, tenant_id=tenant_id, user_id=user_id)


END_OF_TENANT = Sql("""
    UPDATE sessions SET ended_us = :now_us WHERE tenant_id = :tenant_id AND ended_us IS NULL RETURNING id
""")


def end_of_tenant(tx: Tx, tenant_id: str) -> list[str]:
    """End every session in a tenant, and return their ids."""
    return tx.all(END_OF_TENANT, str, tenant_id=tenant_id, now_us=tx.now_us)


DELETE_OLD = Sql("""
    DELETE FROM sessions WHERE id IN
      (SELECT id FROM sessions WHERE expires_us < :before_us ORDER BY expires_us LIMIT :limit)
""")


def delete_old(tx: Tx, before_us: int, limit: int) -> int:
    """Remove up to `limit` sessions whose fixed end was before `before_us`."""
    return tx.execute(DELETE_OLD, before_us=before_us, limit=limit)
