"""`omium db compact`: what was removed gives its space back, once the server is stopped."""

import sqlite3


def fill_and_empty(file):
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE ballast (body BLOB)")
    connection.executemany("INSERT INTO ballast VALUES (?)", [(b"x" * 4_000,)] * 2_000)
    connection.commit()
    connection.execute("DELETE FROM ballast")
    connection.commit()
    connection.close()


def test_the_file_of_a_stopped_server_becomes_smaller_and_keeps_everything(cli, running_server):
    cli.python("import my_agents; my_agents.report('kept')")
    refused = cli("db", "compact")
    assert refused.code == 1
    assert "server" in refused.err, "a running server has the file"
    running_server.stop()
    fill_and_empty(running_server.data / "omium.sqlite")

    done = cli("db", "compact", "--json")

    assert done.code == 0, done.err
    assert done.json["before_bytes"] > done.json["after_bytes"] + 7_000_000
    assert (running_server.data / "omium.sqlite").stat().st_size == done.json["after_bytes"]
    running_server.start()
    assert [each["workflow"] for each in cli("executions", "list", "--json").json] == ["report"]
    assert cli("db", "verify").code == 0


def test_what_cannot_be_compacted_is_said(lone_cli, tmp_path):
    assert "There is no database" in lone_cli("db", "compact").err
    away = lone_cli("db", "compact", "--database", "postgresql://x@127.0.0.1:1/x")
    assert "autovacuum" in away.err
