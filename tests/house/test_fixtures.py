import psycopg
import pytest


def test_an_empty_postgres_url_leads_to_an_empty_database(empty_postgres_url):
    with psycopg.connect(empty_postgres_url) as connection:
        tables = connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'").fetchall()

    assert tables == []


def test_two_tests_never_share_a_database(postgres_server):
    first, second = postgres_server.create_database(), postgres_server.create_database()
    with psycopg.connect(postgres_server.url(first), autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int)")

    with (
        psycopg.connect(postgres_server.url(second)) as connection,
        pytest.raises(psycopg.errors.UndefinedTable),
    ):
        connection.execute("SELECT 1 FROM t")
    postgres_server.drop_database(first)
    postgres_server.drop_database(second)


def test_text_order_is_linguistic_so_that_a_forgotten_collate_shows(postgres_url):
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute("SELECT x FROM (VALUES ('B'), ('a')) AS v(x) ORDER BY x").fetchall()

    assert [row[0] for row in rows] == ["a", "B"]


def test_a_database_url_is_a_path_or_a_postgres_url(database_url, request):
    assert database_url.startswith("postgresql://") == ("postgres" in request.node.name.split("[")[1])
