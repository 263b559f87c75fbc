"""A small schema for tests of the seam itself, and the statements on it."""

from dataclasses import dataclass
from pathlib import Path

from omium.server.db.tx import Sql, Tx

FIRST = """
CREATE TABLE items (
  id     {text}  NOT NULL PRIMARY KEY,
  owner  {text}  NOT NULL,
  size   {int64} NOT NULL CHECK (size >= 0),
  body   {bytes}
) {strict};
CREATE INDEX items_by_owner ON items (owner, id);

CREATE TABLE parts (
  item_id  {text}  NOT NULL REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED,
  number   {int64} NOT NULL,
  PRIMARY KEY (item_id, number)
) {clustered};
"""

INSERT = Sql("INSERT INTO items (id, owner, size, body) VALUES (:id, :owner, :size, :body)")
GROW = Sql("UPDATE items SET size = size + :by WHERE id = :id RETURNING id, owner, size, body")
SET_SIZE = Sql("UPDATE items SET size = :size WHERE owner = :owner")
FIND = Sql("SELECT id, owner, size, body FROM items WHERE id = :id")
LIST = Sql("SELECT id, owner, size, body FROM items WHERE owner = :owner ORDER BY id")
LIST_IDS = Sql("SELECT id FROM items ORDER BY id")
COUNT = Sql("SELECT count(*) FROM items")
SUM = Sql("SELECT sum(size) FROM items")
INSERT_PART = Sql("INSERT INTO parts (item_id, number) VALUES (:item_id, :number)")
ENDLESS = Sql("""
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n > 0)
    SELECT count(*) FROM numbers
""")


@dataclass(frozen=True, slots=True)
class Item:
    id: str
    owner: str
    size: int
    body: bytes | None


def insert(tx: Tx, item_id: str, owner: str = "a", size: int = 0, body: bytes | None = None) -> str:
    tx.execute(INSERT, id=item_id, owner=owner, size=size, body=body)
    return item_id


def write_migrations(folder: Path, *texts: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(texts or (FIRST,), start=1):
        (folder / f"{number:04}_step{number}.sql").write_text(text)
    return folder
