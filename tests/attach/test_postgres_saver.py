"""`omium attach postgresql://...` tells what LangGraph's PostgresSaver stored, and can only read it."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from omium.adapters.attach import open_store
from omium.cli.main import run
from omium.errors import ConfigError

STORE = Path(__file__).with_name("langgraph_postgres.sql").read_text()

pytestmark = pytest.mark.postgres


@pytest.fixture
def store(empty_postgres_url):
    execute(empty_postgres_url, STORE)
    return empty_postgres_url


def execute(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def count(url, table):
    with psycopg.connect(url) as connection:
        return connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


def list_runs(url, limit=50):
    with open_store(url) as opened:
        return opened.list_runs(limit)


def find(url, run_id):
    with open_store(url) as opened:
        return opened.find_run(run_id)


def record(url, run_id):
    with open_store(url) as opened:
        return opened.record(opened.find_run(run_id))


def test_the_newest_thread_is_first_and_each_says_where_it_stands(store):
    told = [(run.run_id, run.state, run.checkpoints, run.last, run.next) for run in list_runs(store)]

    assert told == [
        ("ask", "interrupted", 3, ("a",), ("b", "c")),
        ("bad", "failed", 3, ("a",), ("b", "c")),
        ("good", "finished", 5, ("d",), ()),
    ]
    assert [run.run_id for run in list_runs(store, limit=1)] == ["ask"]
    assert find(store, "nothing") is None
    assert find(store, "\x00") is None


def test_a_failure_has_its_node_type_and_message(store):
    bad = find(store, "bad")

    assert (bad.failed_at, bad.error_type, bad.error_message) == ("b", "ValueError", "boom key=1")
    assert bad.updated_us == 1_795_419_254_275_428


def test_a_full_join_waits_for_its_node(store):
    execute(
        store,
        "DELETE FROM checkpoints WHERE checkpoint_id ="
        " (SELECT MAX(checkpoint_id) FROM checkpoints WHERE thread_id = 'good')",
    )

    good = find(store, "good")
    assert (good.state, good.last, good.next) == ("unfinished", ("b", "c"), ("d",))


def test_the_last_attempts_word_counts(store):
    execute(
        store,
        "INSERT INTO checkpoint_writes SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, -3,"
        " '__interrupt__', type, blob, task_path FROM checkpoint_writes WHERE channel = '__error__'",
    )

    assert find(store, "bad").state == "interrupted"


def test_a_thread_is_recorded_with_its_steps_and_states(store):
    good, bad = record(store, "good"), record(store, "bad")

    assert [(step.name, step.output) for step in good.steps] == [
        ("a", {"n": ["a"]}),
        ("b", {"n": ["b"]}),
        ("c", {"n": ["c"]}),
        ("d", {"n": ["d"]}),
    ]
    assert good.input == {"n": [], "k": "good"}
    assert good.output == {"n": ["a", "b", "c", "d"], "k": "good"}
    assert [state.state.get("n") for state in good.states][-2:] == [["a", "b", "c"], ["a", "b", "c", "d"]]
    assert [(step.name, step.error and step.error.message) for step in bad.steps] == [
        ("a", None),
        ("b", "boom key=1"),
        ("c", None),
    ]
    assert bad.output is None


def test_the_server_refuses_whatever_would_write(store):
    # A view that writes stands for everything that would: nothing of ours does.
    execute(
        store,
        """
        ALTER TABLE checkpoints RENAME TO kept;
        CREATE TABLE spied (at TIMESTAMPTZ);
        CREATE FUNCTION spy() RETURNS SETOF kept AS
          'INSERT INTO spied VALUES (now()); SELECT * FROM kept' LANGUAGE sql;
        CREATE VIEW checkpoints AS SELECT * FROM spy();
        """,
    )

    with pytest.raises(ConfigError, match="read-only transaction"):
        list_runs(store)
    assert count(store, "spied") == 0


def test_another_database_is_refused_with_a_sentence(empty_postgres_url):
    with pytest.raises(ConfigError, match="holds no runs of LangGraph's PostgresSaver"):
        list_runs(empty_postgres_url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter22222@127.0.0.1:1/none?connect_timeout=1",
        "postgresql://me:hunter22222%zz@127.0.0.1/none",
        "postgresql://me@127.0.0.1:1/none?password=hunter22222",
    ],
)
def test_no_password_is_printed(url, capsys):
    assert run(["attach", url]) == 1

    said = capsys.readouterr()
    assert "hunter22222" not in said.out + said.err
    assert "PostgreSQL URL" in said.err or "cannot be read" in said.err


def test_the_command_prints_the_threads(store, capsys):
    assert run(["attach", store, "--limit", "2", "--no-color"]) == 0

    said = capsys.readouterr()
    assert "ValueError: boom" in said.out
    assert "The newest 2" in said.err


def test_what_the_saver_itself_writes_today_is_shown_and_recorded(empty_postgres_url):
    postgres = pytest.importorskip("langgraph.checkpoint.postgres", reason="the saver is not installed here")

    class Notes(TypedDict, total=False):
        topic: str
        text: str

    def draft(state):
        return {"text": f"on {state['topic']}"}

    def publish(state):
        if state["topic"] == "seals":
            raise RuntimeError("the press is closed")
        return {"text": state["text"] + ", published"}

    builder = StateGraph(Notes).add_node(draft).add_node(publish)
    builder.add_edge(START, "draft").add_edge("draft", "publish")
    with postgres.PostgresSaver.from_conn_string(empty_postgres_url) as saver:
        saver.setup()
        graph = builder.compile(checkpointer=saver)
        graph.invoke({"topic": "otters"}, {"configurable": {"thread_id": "otters"}}, durability="sync")
        with pytest.raises(RuntimeError, match="the press is closed"):
            graph.invoke({"topic": "seals"}, {"configurable": {"thread_id": "seals"}}, durability="sync")
    before = count(empty_postgres_url, "checkpoints"), count(empty_postgres_url, "checkpoint_writes")

    told = [(run.run_id, run.state, run.last, run.next) for run in list_runs(empty_postgres_url)]
    finished, failed = (record(empty_postgres_url, run_id) for run_id in ("otters", "seals"))

    assert told == [("seals", "failed", ("draft",), ("publish",)), ("otters", "finished", ("publish",), ())]
    assert "on otters, published" in str(finished)
    assert "the press is closed" in str(failed)
    assert before == (
        count(empty_postgres_url, "checkpoints"),
        count(empty_postgres_url, "checkpoint_writes"),
    )


SHALLOW = """
    DELETE FROM checkpoints AS c WHERE checkpoint_id <
      (SELECT MAX(checkpoint_id) FROM checkpoints WHERE thread_id = c.thread_id);
    DELETE FROM checkpoint_blobs AS b WHERE version <
      (SELECT MAX(version) FROM checkpoint_blobs WHERE thread_id = b.thread_id AND channel = b.channel);
    DELETE FROM checkpoint_writes AS w WHERE NOT EXISTS
      (SELECT 1 FROM checkpoints AS c WHERE c.thread_id = w.thread_id AND c.checkpoint_id = w.checkpoint_id);
    UPDATE checkpoint_blobs AS b SET type = 'empty', blob = NULL FROM checkpoints AS c
     WHERE c.thread_id = b.thread_id AND c.checkpoint -> 'channel_versions' ->> b.channel <> b.version;
    ALTER TABLE checkpoints DROP COLUMN checkpoint_id, DROP COLUMN parent_checkpoint_id;
    ALTER TABLE checkpoint_blobs DROP COLUMN version;
"""  # the tables of ShallowPostgresSaver, with what it would have kept


def test_a_shallow_savers_threads_stand_where_they_are(store):
    before = {run.run_id: run for run in list_runs(store)}
    execute(store, SHALLOW)

    told = {run.run_id: run for run in list_runs(store)}

    assert {id_: replace(run, checkpoints=1) for id_, run in before.items()} == told
    good, bad = record(store, "good"), record(store, "bad")
    assert (good.steps, good.output) == ((), {"n": ["a", "b", "c", "d"], "k": "good"})
    assert [(step.name, step.error and step.error.message) for step in bad.steps] == [
        ("b", "boom key=1"),
        ("c", None),
    ]
    assert good.omitted == ("its saver keeps only the newest checkpoint",)


def test_a_shallow_savers_thread_that_goes_on_stays_the_same_run(store):
    execute(store, SHALLOW)
    before = record(store, "bad").identity
    execute(
        store,
        "UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, '{id}', '\"1f1f0000\"')"
        " WHERE thread_id = 'bad'",
    )

    assert record(store, "bad").identity == before != record(store, "good").identity


def test_tables_of_both_kinds_of_saver_together_are_refused(store):
    execute(store, "ALTER TABLE checkpoint_blobs DROP COLUMN version")

    with pytest.raises(ConfigError, match="together; name the schema"):
        list_runs(store)
