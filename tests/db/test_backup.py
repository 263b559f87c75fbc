import asyncio
import sqlite3

import pytest

from omium.errors import DatabaseCorrupt, DatabaseLocked, DatabaseTooNew, StorageError, StorageFull
from omium.server.db.offline import backup_file, restore_file
from omium.server.db.sqlite_connection import connect
from omium.server.db.tx import Sql
from tests.db import schema
from tests.db.schema import FIRST, Item, insert, write_migrations

TRIGGERS = """
    --: sqlite
    CREATE TRIGGER items_are_kept BEFORE DELETE ON items BEGIN SELECT RAISE(ABORT, 'kept'); END;
    CREATE TRIGGER items_start_empty BEFORE INSERT ON items WHEN NEW.size > 5
      BEGIN SELECT RAISE(ABORT, 'too large at first'); END;
    --: postgres
    CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'kept'; END $$;
    CREATE TRIGGER items_are_kept BEFORE DELETE ON items FOR EACH ROW EXECUTE FUNCTION kept();
    CREATE TRIGGER items_start_empty BEFORE INSERT ON items FOR EACH ROW WHEN (NEW.size > 5)
      EXECUTE FUNCTION kept();
"""


@pytest.fixture
def kept(tmp_path):
    """Migrations whose triggers refuse what copying rows does."""
    return write_migrations(tmp_path / "kept", FIRST, TRIGGERS)


async def fill(database):
    def work(tx):
        for number in range(1_200):
            insert(tx, f"i{number:04}", body=bytes([number % 256]) * 40)
            tx.execute(schema.INSERT_PART, item_id=f"i{number:04}", number=number)
        tx.execute(schema.SET_SIZE, owner="a", size=2**40)

    await database.write(work)


async def contents(database):
    return await database.read(lambda tx: tx.all(schema.LIST, Item, owner="a"))


async def test_a_backup_can_be_restored_into_either_database(
    open_any, database_url, postgres_url_of_another, tmp_path, kept
):
    database = await open_any(database_url, migrations=kept)
    await fill(database)
    expected = await contents(database)

    await database.backup(tmp_path / "copy")
    for target in (tmp_path / "restored", postgres_url_of_another):
        await asyncio.to_thread(restore_file, tmp_path / "copy", str(target), migrations=kept)
        restored = await open_any(target, migrations=kept)

        assert await contents(restored) == expected
        assert await restored.integrity_problems() == []
        with pytest.raises(Exception, match="kept"):
            await restored.write(lambda tx: tx.execute(Sql("DELETE FROM items")))


@pytest.fixture
def postgres_url_of_another(postgres_server):
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


async def test_a_backup_under_load_holds_every_write_acknowledged_before_it_began(
    database, open_any, tmp_path
):
    acknowledged = []
    stopping = False

    async def client(name):
        number = 0
        while not stopping:
            acknowledged.append(
                await database.write(lambda tx, number=number: insert(tx, f"{name}-{number:05}"))
            )
            number += 1

    clients = [asyncio.ensure_future(client(f"c{number}")) for number in range(8)]
    for round_ in range(4):
        for number in range(20):
            await database.write(lambda tx, name=f"r{round_}-{number}": insert(tx, name))
        before = set(acknowledged)
        await database.backup(tmp_path / f"copy{round_}")
        copy = connect(tmp_path / f"copy{round_}", "ro")
        found = {name for (name,) in copy.execute("SELECT id FROM items")}
        copy.close()
        assert before <= found
    stopping = True
    await asyncio.gather(*clients)


async def test_a_backup_is_one_private_file_and_leaves_nothing_else(database, tmp_path):
    await fill(database)
    folder = tmp_path / "backups"
    folder.mkdir()

    await database.backup(folder / "copy")

    assert [path.name for path in folder.iterdir()] == ["copy"]
    assert (folder / "copy").stat().st_mode & 0o777 == 0o600


async def test_a_backup_overwrites_nothing(database, tmp_path):
    (tmp_path / "precious").write_text("mine")

    with pytest.raises(StorageError, match="exists already"):
        await database.backup(tmp_path / "precious")

    assert (tmp_path / "precious").read_text() == "mine"


async def test_a_backup_into_a_folder_that_is_not_there_says_so(database, tmp_path):
    with pytest.raises(StorageError, match="cannot be used: No such file or directory"):
        await database.backup(tmp_path / "none" / "copy")


async def test_a_database_in_a_place_that_cannot_be_used_says_so(open_any, tmp_path):
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(StorageError, match="cannot be used"):
        await open_any(tmp_path / "file" / "omium.sqlite")


async def test_a_backup_that_fails_leaves_no_half_file(sqlite, tmp_path):
    await fill(sqlite)
    folder = tmp_path / "backups"
    folder.mkdir()
    sqlite.path.rename(sqlite.path.with_name("gone"))  # a stand-in for whatever goes wrong while copying
    try:
        with pytest.raises(StorageError):
            await sqlite.backup(folder / "copy")
    finally:
        sqlite.path.with_name("gone").rename(sqlite.path)

    assert list(folder.iterdir()) == []


async def test_a_backup_is_taken_by_another_process_while_the_server_runs(sqlite, sqlite_file, tmp_path):
    await sqlite.write(lambda tx: insert(tx, "i1"))

    backup_file(str(sqlite_file), tmp_path / "copy")
    await sqlite.write(lambda tx: insert(tx, "i2"))

    copy = connect(tmp_path / "copy", "ro")
    assert copy.execute("SELECT id FROM items").fetchall() == [("i1",)]
    copy.close()


async def test_a_damaged_backup_is_not_restored(sqlite, tmp_path, migrations):
    await fill(sqlite)
    await sqlite.backup(tmp_path / "copy")
    with (tmp_path / "copy").open("r+b") as file:
        file.seek(4096 * 6)
        file.write(b"\xff" * 4096 * 8)

    with pytest.raises(DatabaseCorrupt, match="Choose another one"):
        restore_file(tmp_path / "copy", str(tmp_path / "target"), migrations=migrations)

    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("content", [b"", b"no database at all " * 500])
def test_what_is_no_backup_is_refused(tmp_path, migrations, content):
    (tmp_path / "copy").write_bytes(content)

    with pytest.raises(DatabaseCorrupt):
        restore_file(tmp_path / "copy", str(tmp_path / "target"), migrations=migrations)


async def test_a_backup_of_a_newer_omium_is_refused_and_of_an_older_one_is_brought_up_to_date(
    open_any, tmp_path, database_url
):
    old = write_migrations(tmp_path / "old", FIRST)
    new = write_migrations(tmp_path / "new", FIRST, "CREATE TABLE more (id {text} NOT NULL) {strict};")
    for name, migrations in (("old", old), ("new", new)):
        source = await open_any(tmp_path / f"{name}.sqlite", migrations=migrations)
        await source.write(lambda tx: insert(tx, "i1"))
        await source.backup(tmp_path / f"{name}-copy")

    with pytest.raises(DatabaseTooNew):
        restore_file(tmp_path / "new-copy", database_url, migrations=old)
    restore_file(tmp_path / "old-copy", database_url, migrations=new)
    database = await open_any(database_url, migrations=new)

    assert await database.read(lambda tx: tx.value(schema.COUNT)) == 1
    assert await database.read(lambda tx: tx.value(Sql("SELECT count(*) FROM more"))) == 0


async def test_a_database_in_use_is_not_replaced(sqlite, sqlite_file, tmp_path, migrations):
    await sqlite.backup(tmp_path / "copy")

    with pytest.raises(DatabaseLocked):
        restore_file(tmp_path / "copy", str(sqlite_file), replace=True, migrations=migrations)


async def test_a_replaced_database_is_set_aside_whole(sqlite, sqlite_file, open_any, tmp_path, migrations):
    await sqlite.write(lambda tx: insert(tx, "old"))
    await sqlite.backup(tmp_path / "copy")
    await sqlite.write(lambda tx: insert(tx, "newer"))
    await sqlite.close()

    with pytest.raises(StorageError, match="exists already"):
        restore_file(tmp_path / "copy", str(sqlite_file), migrations=migrations)
    aside = restore_file(tmp_path / "copy", str(sqlite_file), replace=True, migrations=migrations)

    restored = await open_any(sqlite_file)
    assert await restored.read(lambda tx: tx.all(schema.LIST_IDS, str)) == ["old"]
    looked_at = await open_any(aside)
    assert await looked_at.read(lambda tx: tx.all(schema.LIST_IDS, str)) == ["newer", "old"]


@pytest.fixture
async def killed(sqlite, sqlite_file, tmp_path):
    """What a kill leaves, a file and its log with "newer" in it, and a backup from before that."""
    await sqlite.write(lambda tx: insert(tx, "old"))
    await sqlite.backup(tmp_path / "copy")
    await sqlite.write(lambda tx: insert(tx, "newer"))
    killed = tmp_path / "killed.sqlite"
    for suffix in ("", "-wal"):
        content = sqlite_file.with_name(sqlite_file.name + suffix).read_bytes()
        killed.with_name(killed.name + suffix).write_bytes(content)
    return killed


async def test_the_log_of_a_killed_server_goes_with_its_file(killed, open_any, tmp_path, migrations):
    aside = restore_file(tmp_path / "copy", str(killed), replace=True, migrations=migrations)

    assert not killed.with_name("killed.sqlite-wal").exists()
    restored = await open_any(killed)
    assert await restored.read(lambda tx: tx.all(schema.LIST_IDS, str)) == ["old"]
    looked_at = await open_any(aside)
    assert await looked_at.read(lambda tx: tx.all(schema.LIST_IDS, str)) == ["newer", "old"]


async def test_the_log_of_a_damaged_database_never_meets_the_restored_file(
    killed, open_any, tmp_path, migrations
):
    for path in (killed, killed.with_name("killed.sqlite-wal")):
        with path.open("r+b") as file:
            file.write(b"neither a database nor a log any more")

    aside = restore_file(tmp_path / "copy", str(killed), replace=True, migrations=migrations)

    assert not killed.with_name("killed.sqlite-wal").exists()
    assert aside.read_bytes().startswith(b"neither"), "what is damaged stays as it is"
    restored = await open_any(killed)
    assert await restored.read(lambda tx: tx.all(schema.LIST_IDS, str)) == ["old"]


async def test_a_postgres_database_with_content_is_not_overwritten(
    open_any, postgres_url, tmp_path, migrations
):
    database = await open_any(postgres_url)
    await database.backup(tmp_path / "copy")

    with pytest.raises(StorageError, match="not empty"):
        restore_file(tmp_path / "copy", postgres_url, migrations=migrations)


async def test_integrity_problems_are_told_as_sentences(sqlite, sqlite_file):
    await sqlite.write(lambda tx: insert(tx, "i1"))
    assert await sqlite.integrity_problems() == []

    def make_an_orphan(connection):
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("INSERT INTO parts (item_id, number) VALUES ('none', 1)")

    await sqlite._connections[0].execute_function(make_an_orphan)

    assert await sqlite.integrity_problems() == ["a row of parts refers to a missing row of items"]


async def test_the_size_is_what_the_disk_gives(database):
    empty = await database.size_bytes()
    await fill(database)

    assert await database.size_bytes() > empty > 0


def test_a_full_disk_at_the_target_is_told_as_such(tmp_path):
    from omium.server.db.backup import write_new_file

    def fill_up(partial):
        with sqlite3.connect(partial) as connection:
            connection.execute("PRAGMA max_page_count = 2")
            try:
                connection.execute("CREATE TABLE t AS SELECT zeroblob(100000)")
            finally:
                connection.rollback()
        connection.close()

    with pytest.raises(StorageFull):
        write_new_file(tmp_path / "copy", fill_up)
