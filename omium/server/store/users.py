"""Users: people who log in. The password is an Argon2id digest; names are stored as they are compared."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx

ACTIVE = "active"
DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class UserRow:
    """A row of `users`; `server_owner` is 1 for who owns the server itself."""

    id: str
    name: str
    password: str
    status: str
    server_owner: int
    created_us: int
    password_changed_us: int


_COLUMNS = "id, name, password, status, server_owner, created_us, password_changed_us"

INSERT_USER = Sql(f"""
    INSERT INTO users ({_COLUMNS})
    VALUES (:id, :name, :password, :status, :server_owner, :created_us, :password_changed_us)
    ON CONFLICT (name) DO NOTHING
""")


def insert_user(tx: Tx, name: str, password: str, *, server_owner: bool) -> UserRow | None:
    """Store a new user and return it, or None where the name is taken."""
    row = UserRow(tx.new_id("us"), name, password, ACTIVE, int(server_owner), tx.now_us, tx.now_us)
    inserted = tx.execute(INSERT_USER, **{each: getattr(row, each) for each in UserRow.__slots__})
    return row if inserted == 1 else None


FIND_BY_NAME = Sql(f"SELECT {_COLUMNS} FROM users WHERE name = :name")


def find_by_name(tx: Tx, name: str) -> UserRow | None:
    return tx.one_or_none(FIND_BY_NAME, UserRow, name=name)


FIND_USER = Sql(f"SELECT {_COLUMNS} FROM users WHERE id = :id")


def find_user(tx: Tx, user_id: str) -> UserRow | None:
    return tx.one_or_none(FIND_USER, UserRow, id=user_id)


LOCK_USER = Sql(f"SELECT {_COLUMNS} FROM users WHERE id = :id {{for_update}}")


def lock_user(tx: Tx, user_id: str) -> UserRow | None:
    return tx.one_or_none(LOCK_USER, UserRow, id=user_id)


FIND_ANY = Sql("SELECT id FROM users ORDER BY id LIMIT 1")


def find_any_user_id(tx: Tx) -> str | None:
    """Return the id of the first user, or None on a server without people."""
    return tx.one_or_none(FIND_ANY, str)


LIST_USERS = Sql(f"SELECT {_COLUMNS} FROM users WHERE id > :after_id ORDER BY id LIMIT :limit")


def list_users(tx: Tx, after_id: str, limit: int) -> list[UserRow]:
    return tx.all(LIST_USERS, UserRow, after_id=after_id, limit=limit)


SET_PASSWORD = Sql("""
    UPDATE users SET password = :password, password_changed_us = :now_us WHERE id = :id AND password = :former
""")


def set_password(tx: Tx, user_id: str, former: str, password: str) -> bool:
    """Set the password if it is still `former`; False where somebody else was faster."""
    return tx.execute(SET_PASSWORD, id=user_id, former=former, password=password, now_us=tx.now_us) == 1


REHASH = Sql("UPDATE users SET password = :password WHERE id = :id AND password = :former")


def rehash(tx: Tx, user_id: str, former: str, password: str) -> None:
    """Store another digest of the same password, unless it was changed meanwhile."""
    tx.execute(REHASH, id=user_id, former=former, password=password)


SET_STATUS = Sql("UPDATE users SET status = :status WHERE id = :id")


def set_status(tx: Tx, user_id: str, status: str) -> None:
    tx.execute(SET_STATUS, id=user_id, status=status)


OWN_SERVER = Sql("UPDATE users SET server_owner = 1 WHERE id = :id")


def own_server(tx: Tx, user_id: str) -> None:
    """Let the user own the server, too."""
    tx.execute(OWN_SERVER, id=user_id)


LIST_SERVER_OWNERS = Sql("SELECT id FROM users WHERE server_owner = 1 ORDER BY id {for_update}")


def lock_server_owners(tx: Tx) -> list[str]:
    """Return the ids of the server's owners, locked, so that the last one stays."""
    return tx.all(LIST_SERVER_OWNERS, str)


DELETE_USER = Sql("DELETE FROM users WHERE id = :id")


def delete_user(tx: Tx, user_id: str) -> None:
    """Remove the user with his memberships and sessions."""
    tx.execute(DELETE_USER, id=user_id)
