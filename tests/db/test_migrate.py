import asyncio
import sqlite3

import pytest

from omium.errors import DatabaseTooNew, MigrationChanged, StorageError
from omium.server.db.migrate import FOLDER, list_migrations, split_sqlite
from omium.server.db.offline import migrate_file
from omium.server.db.tx import Sql
from tests.db import schema
from tests.db.schema import FIRST, insert, write_migrations

SECOND = "ALTER TABLE items ADD COLUMN note {text};\n"
TABLES = Sql("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
APPLIED = Sql("SELECT name FROM schema_migrations ORDER BY number")


async def test_every_migration_is_applied_once_and_recorded(open_any, database_url, tmp_path):
    folder = write_migrations(tmp_path / "m", FIRST)
    database = await open_any(database_url, migrations=folder)
    await database.write(lambda tx: insert(tx, "i1"))
    await database.close()

    write_migrations(folder, FIRST, SECOND)
    database = await open_any(database_url, migrations=folder)

    assert await database.read(lambda tx: tx.all(APPLIED, str)) == ["step1", "step2"]
    assert await database.read(lambda tx: tx.value(schema.COUNT)) == 1


async def test_an_older_omium_refuses_a_newer_database(open_any, database_url, tmp_path):
    database = await open_any(database_url, migrations=write_migrations(tmp_path / "new", FIRST, SECOND))
    await database.close()

    with pytest.raises(DatabaseTooNew, match=r"migration 2 \(step2\), this version of Omium knows 1"):
        await open_any(database_url, migrations=write_migrations(tmp_path / "old", FIRST))


async def test_a_migration_that_changed_after_it_was_applied_is_noticed(open_any, database_url, tmp_path):
    database = await open_any(database_url, migrations=write_migrations(tmp_path / "a", FIRST))
    await database.close()

    with pytest.raises(MigrationChanged, match="Migration 1"):
        await open_any(database_url, migrations=write_migrations(tmp_path / "b", FIRST + "-- edited\n"))


async def test_a_failing_migration_leaves_the_old_schema_and_a_rerun_completes(
    open_any, database_url, tmp_path
):
    broken = "CREATE TABLE half (id {text} NOT NULL PRIMARY KEY) {strict};\nCREATE TABLE items (id {text});\n"
    folder = write_migrations(tmp_path / "m", FIRST, broken)
    with pytest.raises(StorageError):
        await open_any(database_url, migrations=folder)

    write_migrations(folder, FIRST, broken.replace("TABLE items", "TABLE whole"))
    database = await open_any(database_url, migrations=folder)

    assert await database.read(lambda tx: tx.all(APPLIED, str)) == ["step1", "step2"]
    assert await database.read(lambda tx: tx.value(Sql("SELECT count(*) FROM half"))) == 0


async def test_without_migrating_an_old_schema_is_refused_with_the_remedy(open_any, database_url):
    with pytest.raises(StorageError, match="omium db migrate"):
        await open_any(database_url, migrate=False)


async def test_several_servers_may_migrate_postgres_at_once(open_any, postgres_url):
    databases = await asyncio.gather(*(open_any(postgres_url) for _ in range(8)))

    assert await databases[0].read(lambda tx: tx.all(APPLIED, str)) == ["step1"]


async def test_a_part_for_one_database_is_left_out_on_the_other(open_any, database_url, tmp_path):
    parts = """
    CREATE TABLE log (id {text} NOT NULL) {strict};
    --: sqlite
    CREATE TRIGGER log_is_kept BEFORE DELETE ON log BEGIN
      SELECT RAISE(ABORT, 'kept; always');
    END;
    --: postgres
    CREATE FUNCTION log_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'kept; always' USING ERRCODE = '23514'; END $$;
    CREATE TRIGGER log_is_kept BEFORE DELETE ON log FOR EACH ROW EXECUTE FUNCTION log_is_kept();
    --: both
    CREATE TABLE more (id {text} NOT NULL) {strict};
    """
    database = await open_any(database_url, migrations=write_migrations(tmp_path / "m", parts))
    await database.write(lambda tx: tx.execute(Sql("INSERT INTO log (id) VALUES ('a')")))

    with pytest.raises(Exception, match="kept; always"):
        await database.write(lambda tx: tx.execute(Sql("DELETE FROM log")))

    assert await database.read(lambda tx: tx.value(Sql("SELECT count(*) FROM log"))) == 1
    assert await database.read(lambda tx: tx.value(Sql("SELECT count(*) FROM more"))) == 0


async def test_the_file_of_another_program_is_left_alone(open_any, sqlite_file):
    with sqlite3.connect(sqlite_file) as other:
        other.execute("CREATE TABLE photos (id)")
    other.close()

    with pytest.raises(StorageError, match="another program"):
        await open_any(sqlite_file)


async def test_a_file_is_migrated_without_a_server(open_any, sqlite_file, tmp_path):
    folder = write_migrations(tmp_path / "m", FIRST)
    await (await open_any(sqlite_file, migrations=folder)).close()
    write_migrations(folder, FIRST, SECOND)

    assert migrate_file(str(sqlite_file), folder) == ["0002_step2"]
    assert migrate_file(str(sqlite_file), folder) == []
    with pytest.raises(StorageError, match="no database"):
        migrate_file(str(tmp_path / "none"), folder)


def test_postgres_is_migrated_without_a_server(postgres_url, migrations):
    assert migrate_file(postgres_url, migrations) == ["0001_step1"]
    assert migrate_file(postgres_url, migrations) == []


@pytest.mark.parametrize("name", ["0003_gap.sql", "first.sql"])
def test_stray_and_missing_numbers_are_refused(tmp_path, name):
    folder = write_migrations(tmp_path / "m", FIRST)
    (folder / name).write_text("SELECT 1;")

    with pytest.raises(ValueError, match=r"gaps|NNNN"):
        list_migrations(folder)


def test_a_statement_that_does_not_end_is_an_error_not_a_silence():
    assert list(split_sqlite("SELECT 1; -- the end; really\n")) == ["SELECT 1;"]
    with pytest.raises(ValueError, match="does not end"):
        list(split_sqlite("SELECT 1; CREATE TABLE t (a"))


async def test_the_packages_own_migrations_apply_on_both(open_any, database_url):
    database = await open_any(database_url, migrations=FOLDER)

    assert await database.integrity_problems() == []
    assert await database.read(lambda tx: len(tx.all(APPLIED, str))) == len(list_migrations())


@pytest.mark.parametrize("count", range(1, len(list_migrations())))
async def test_a_database_of_every_earlier_version_is_brought_up_to_date(
    open_any, sqlite_file, tmp_path, count
):
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    for path in sorted(FOLDER.glob("*.sql"))[:count]:
        (earlier / path.name).write_bytes(path.read_bytes())
    database = await open_any(sqlite_file, migrations=earlier)
    await database.close()

    database = await open_any(sqlite_file, migrations=FOLDER)
    upgraded = await database.read(lambda tx: tx.all(TABLES, str))
    fresh = await open_any(tmp_path / "fresh", migrations=FOLDER)

    assert upgraded == await fresh.read(lambda tx: tx.all(TABLES, str))
    assert await database.integrity_problems() == []


async def test_every_text_column_on_postgres_is_ordered_by_bytes(open_any, postgres_url):
    database = await open_any(postgres_url, migrations=FOLDER)
    otherwise = Sql("""
        SELECT relname || '.' || attname AS column_name
          FROM pg_attribute
          JOIN pg_class ON pg_class.oid = attrelid AND relkind = 'r'
          JOIN pg_collation ON pg_collation.oid = attcollation
         WHERE relnamespace = to_regnamespace('public') AND collname <> 'C'
    """)

    assert await database.read(lambda tx: tx.all(otherwise, str)) == []
