"""`omium attach --import` makes executions of what frameworks stored: chosen, once, as they were."""

import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
import pytest

from omium.adapters.attach import open_store
from omium.adapters.attach.importing import make_import
from omium.adapters.attach.packed import Extension
from omium.adapters.attach.plain import VALUE_BYTES_MAX, make_plain
from omium.jsonvalue import json_bytes

HERE = Path(__file__).parent
SAVER = (HERE / "langgraph_saver.sql").read_text()
CHECKPOINTS = json.loads((HERE / "crewai_checkpoints.json").read_text())


def make(path, script):
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script)
    return path


@pytest.fixture
def store(cli):
    return make(cli.folder / "runs.sqlite", SAVER)


def attach(cli, store, *arguments):
    return cli("attach", str(store), "--import", "--json", "--yes", *arguments)


def outcomes(done):
    return [(item["run_id"], item["outcome"]) for item in done.json["items"]]


def list_executions(cli):
    return {each["business_key"]: each for each in cli("executions", "list", "--json").json}


def test_all_runs_of_a_saver_become_executions_once(cli, store):
    done = attach(cli, store, "--workflow", "support")

    assert done.code == 0, done.err
    assert outcomes(done) == [("good", "created"), ("bad", "created"), ("ask", "created")]
    ids = {item["run_id"]: item["execution_id"] for item in done.json["items"]}
    shown = {name: cli("executions", "show", id_, "--json").json for name, id_ in ids.items()}
    assert {name: (each["status"], each["reason"]) for name, each in shown.items()} == {
        "good": ("completed", None),
        "bad": ("failed", "error"),
        "ask": ("paused", "imported"),
    }
    assert shown["good"]["workflow"] == "support"
    assert "take_thread(saver, 'ask')" in cli("resume", ids["ask"]).err  # no worker could go on with it
    assert shown["good"]["output"] == {"n": ["a", "b", "c", "d"], "k": "good"}
    assert [step["key"] for step in shown["bad"]["steps"]] == ["a", "b", "c"]
    assert shown["bad"]["ended_at_us"] == 1_795_412_588_349_568

    assert [outcome for _, outcome in outcomes(attach(cli, store, "--workflow", "support"))] == [
        "unchanged"
    ] * 3
    assert len(cli("executions", "list", "--json").json) == 3
    [failure] = cli("failures", "list", "--json").json
    assert (failure["error_type"], failure["message"], failure["step"]) == ("ValueError", "boom key=1", "b")


def test_only_what_is_chosen_is_imported(cli, store):
    assert outcomes(attach(cli, store, "--run", "good")) == [("good", "created")]
    assert outcomes(attach(cli, store, "--failed")) == [("bad", "created")]
    assert attach(cli, store, "--run", "nothing").code == 1
    dry = attach(cli, store, "--dry-run")
    assert (dry.code, len(dry.json["items"])) == (0, 3)
    assert len(cli("executions", "list", "--json").json) == 2


def test_nobody_is_asked_in_a_script_without_yes(cli, store):
    refused = cli("attach", str(store), "--import")

    assert refused.code == 2
    assert "3 runs (1 failed, 1 finished, 1 interrupted)" in refused.err
    assert cli("attach", str(store), "--yes").code == 2  # without --import it says nothing


def test_a_thread_that_went_on_is_the_same_execution(cli, store):
    first = attach(cli, store, "--run", "bad").json["items"][0]
    with closing(sqlite3.connect(store)) as db:
        db.execute("DELETE FROM writes WHERE channel = '__error__'")
        db.commit()

    again = attach(cli, store, "--run", "bad").json["items"][0]

    assert again == first | {"outcome": "updated"}
    assert cli("executions", "show", first["execution_id"], "--json").json["status"] == "paused"
    assert cli("failures", "list", "--json").json == []


def test_a_crews_runs_are_imported_with_their_tasks(cli):
    for name, document in CHECKPOINTS.items():
        path = cli.folder / "store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))

    done = attach(cli, cli.folder / "store")

    assert [outcome for _, outcome in outcomes(done)] == ["created"] * 4
    shown = cli("executions", "show", done.json["items"][0]["execution_id"], "--json").json
    assert (shown["workflow"], shown["input"], shown["output"]) == (
        "report",
        {"topic": "otters"},
        "Otters play all day.",
    )
    assert [step["output"] for step in shown["steps"]] == ["Otters play.", "Otters play all day."]
    assert (shown["usage"]["input_tokens"], shown["usage"]["output_tokens"]) == (24, 17)


@pytest.mark.postgres
def test_threads_of_a_postgres_saver_are_imported(cli, empty_postgres_url):
    with psycopg.connect(empty_postgres_url) as connection:
        connection.execute((HERE / "langgraph_postgres.sql").read_text())

    done = attach(cli, empty_postgres_url, "--failed")

    assert outcomes(done) == [("bad", "created")]
    shown = cli("executions", "show", done.json["items"][0]["execution_id"], "--json").json
    assert (shown["workflow"], shown["error"]["message"]) == ("langgraph", "boom key=1")
    assert [(step["key"], step["status"]) for step in shown["steps"]] == [
        ("a", "completed"),
        ("b", "failed"),
        ("c", "completed"),
    ]


def test_without_values_no_state_leaves_the_store(cli, store):
    done = attach(cli, store, "--run", "good", "--without-values")

    shown = cli("executions", "show", done.json["items"][0]["execution_id"], "--json").json
    assert (shown["input"], shown["output"], shown["checkpoints"]) == (None, None, [])
    assert [step["output"] for step in shown["steps"]] == [None] * 4


def test_an_import_that_is_killed_halfway_is_simply_done_again(cli, running_server):
    many = "".join(
        line.replace("'good'", f"'good{number}'") + "\n"
        for number in range(60)
        for line in SAVER.splitlines()
        if line.startswith("INSERT") and "'good'" in line
    )
    tables = SAVER.replace("COMMIT;", "")
    store = make(cli.folder / "many.sqlite", tables + many + "COMMIT;")
    process = cli.start("attach", str(store), "--import", "--json", "--yes")
    with httpx.Client(base_url=running_server.base_url, headers=running_server.headers) as client:
        for _ in range(3_000):
            if len(client.get("/v1/executions", params={"limit": 100}).json()["items"]) >= 5:
                break
            time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()

    done = attach(cli, store)

    said = [outcome for _, outcome in outcomes(done)]
    assert len(said) == 63
    assert set(said) == {"created", "unchanged"}
    assert said.count("unchanged") >= 5
    with httpx.Client(base_url=running_server.base_url, headers=running_server.headers) as client:
        assert len(client.get("/v1/executions", params={"limit": 100}).json()["items"]) == 63
        assert client.get("/v1/admin/verify", timeout=60).json()["problems"] == []


def test_what_the_server_cannot_take_comes_without_its_values(cli, store):
    many_lists = b"\xdc\x07\x6c" + b"\x90" * 1_900  # more of them than one document may hold
    with closing(sqlite3.connect(store)) as db:
        db.executemany(
            "INSERT INTO writes SELECT thread_id, checkpoint_ns, MIN(checkpoint_id), ?,"
            " '~__pregel_pull, big', 0, 'n', 'msgpack', ? FROM checkpoints WHERE thread_id = 'good'",
            [(f"task {number}", many_lists) for number in range(150)],
        )
        db.commit()

    done = attach(cli, store, "--run", "good")

    assert done.code == 0, done.err
    assert outcomes(done) == [("good", "created")]
    assert "values were left out" in done.json["items"][0]["note"]
    shown = cli("executions", "show", done.json["items"][0]["execution_id"], "--json").json
    assert (shown["steps_completed"], shown["output"]) == (154, None)


def test_a_run_says_which_execution_it_is_wherever_its_store_lies(tmp_path):
    made = []
    for name in ("one.sqlite", "two.sqlite"):
        path = make(tmp_path / name, SAVER)
        with open_store(str(path)) as opened:
            made.append(make_import(opened.record(opened.find_run("good"))))

    assert made[0] == made[1]
    with open_store(str(path)) as opened:
        other = make_import(opened.record(opened.find_run("bad")))
    assert other.identity != made[0].identity


def packed(*parts):
    """A MessagePack list of short texts, numbers and what is packed already."""
    body = bytes([0x90 + len(parts)])
    for part in parts:
        body += part if isinstance(part, bytes) else bytes([0xA0 + len(part)]) + part.encode()
    return body


def test_objects_are_shown_as_their_class_and_what_they_are_made_of():
    message = Extension(5, packed("langchain", "Human", b"\x81\xa4text\xa2hi", "x"))
    tags = Extension(0, packed("builtins", "set", packed("a", "b")))
    secret = Extension(0, packed("pydantic", "SecretStr", "hunter2"))

    assert make_plain({"m": [message], "tags": tags, "key": secret}) == {
        "m": [{"class": "langchain.Human", "text": "hi"}],
        "tags": ["a", "b"],
        "key": "[redacted]",
    }


@pytest.mark.parametrize(
    "value",
    [
        "x" * 100_000,
        ["x" * 5_000] * 100,
        [[1, 2]] * 50_000,
        {str(number): number for number in range(50_000)},
        float("nan"),
        2**70,
        b"\x00" * 1_000_000,
        "\x00\ud800",
        Extension(0, b"\xc1"),
        Extension(6, b"\x00" * 1_000_000),
    ],
)
def test_any_value_becomes_json_of_a_bounded_size(value):
    assert len(json_bytes(make_plain(value))) <= VALUE_BYTES_MAX
