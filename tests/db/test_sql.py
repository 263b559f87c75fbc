import pytest

from omium.server.db.sql import Sql, render_script


def test_parameters_are_spelled_as_each_driver_takes_them():
    sql = Sql("SELECT id FROM steps WHERE path = :path AND name = :name OR path = :path")

    assert sql.render("sqlite") == "SELECT id FROM steps WHERE path = ?1 AND name = ?2 OR path = ?1"
    assert sql.values({"name": "n", "path": "p"}) == ("p", "n")
    assert sql.render("postgres") == "SELECT id FROM steps WHERE path = $1 AND name = $2 OR path = $1"
    assert sql.places == ("path", "name")
    assert sql.parameters == {"path", "name"}


def test_a_test_for_null_has_a_place_of_its_own_on_postgres():
    sql = Sql("SELECT id FROM steps WHERE :name IS NULL OR name = :name OR :name is not null")

    assert sql.render("postgres") == (
        "SELECT id FROM steps WHERE CAST($1 AS TEXT) IS NULL OR name = $2 OR CAST($1 AS TEXT) is not null"
    )
    assert sql.places == ("name", "name")
    assert sql.render("sqlite") == "SELECT id FROM steps WHERE ?1 IS NULL OR name = ?1 OR ?1 is not null"
    assert sql.names == ("name",)


def test_tokens_become_what_the_dialect_calls_them():
    sql = Sql("SELECT id FROM steps LIMIT 5 {skip_locked}")

    assert sql.render("sqlite").strip() == "SELECT id FROM steps LIMIT 5"
    assert sql.render("postgres") == "SELECT id FROM steps LIMIT 5 FOR UPDATE SKIP LOCKED"


def test_what_stands_in_quotes_or_comments_is_left_alone():
    sql = Sql("""SELECT ':no', '{no}', '%', "a:b" FROM steps -- :no {int64} it's fine
                 /* :no '::' */ WHERE id = :id""")

    assert sql.parameters == {"id"}
    assert "':no', '{no}', '%', \"a:b\"" in sql.render("sqlite")
    assert "':no', '{no}', '%', \"a:b\"" in sql.render("postgres")


def test_a_percent_sign_outside_quotes_reaches_postgres_as_one():
    assert Sql("SELECT 7 % :n").render("postgres") == "SELECT 7 % $1"


def test_an_unknown_token_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown token \{json\}.*int64"):
        Sql("CREATE TABLE t (a {json})")


def test_a_cast_that_only_postgres_understands_is_refused():
    with pytest.raises(ValueError, match="CAST"):
        Sql("SELECT id::text FROM steps")


def test_a_statement_is_rendered_once_for_each_dialect():
    sql = Sql("SELECT :a")

    assert sql.render("postgres") is sql.render("postgres")


def test_a_migration_keeps_its_percent_signs_and_colons():
    assert render_script("CHECK (a % 2 = 0 AND b <> ':x') {strict}", "postgres") == (
        "CHECK (a % 2 = 0 AND b <> ':x') "
    )
