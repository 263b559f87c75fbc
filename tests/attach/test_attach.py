"""`omium attach` tells the runs of a LangGraph saver's file, changes nothing, and survives what is none.

The store is one that LangGraph's own saver wrote (langgraph_saver.sql says which), made again by its SQL.
"""

import hashlib
import json
import os
import re
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.adapters.attach import open_store
from omium.adapters.attach.packed import DEPTH_MAX, Extension, NotPacked, read_packed
from omium.cli.main import run
from omium.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
STORE = Path(__file__).with_name("langgraph_saver.sql").read_text()
TABLES = "".join(re.findall(r"CREATE TABLE .*?\);", STORE, re.DOTALL))


@pytest.fixture
def store(tmp_path):
    return make(tmp_path / "runs.sqlite", STORE)


def make(path, *statements):
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.executescript(statement)
        db.commit()
    return path


def change(path, statement, *values):
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement, values)
        db.commit()


def picture(folder):
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()}


def list_runs(path, limit=50):
    with open_store(str(path)) as opened:
        return opened.list_runs(limit)


def find(path, run_id):
    return next(run for run in list_runs(path) if run.run_id == run_id)


def test_the_newest_thread_is_first_and_each_says_where_it_stands(store):
    told = [(t.run_id, t.state, t.checkpoints, t.last) for t in list_runs(store)]

    assert told == [
        ("ask", "interrupted", 3, ("a",)),
        ("bad", "failed", 3, ("a",)),
        ("good", "finished", 5, ("d",)),
    ]
    assert len(list_runs(store, limit=2)) == 2


def test_a_failure_has_its_node_type_and_message(store):
    bad = find(store, "bad")

    assert (bad.failed_at, bad.error_type, bad.error_message) == ("b", "ValueError", "boom key=1")
    assert bad.next == ("b", "c")
    assert bad.updated_us == 1_795_412_588_349_568


def test_what_was_stopped_in_the_middle_is_unfinished(store):
    change(store, "DELETE FROM writes WHERE channel = '__error__'")

    assert find(store, "bad").state == "unfinished"


def test_a_full_join_waits_for_its_node_and_a_consumed_one_does_not(store):
    change(
        store,
        "DELETE FROM checkpoints WHERE thread_id = 'good' AND checkpoint_id ="
        " (SELECT MAX(checkpoint_id) FROM checkpoints WHERE thread_id = 'good')",
    )

    good = find(store, "good")
    assert (good.state, good.last, good.next) == ("unfinished", ("b", "c"), ("d",))


def test_nodes_that_a_send_started_have_their_names(tmp_path):
    path = make(tmp_path / "send.sqlite", Path(__file__).with_name("langgraph_send.sql").read_text())

    with open_store(str(path)) as opened:
        [run] = opened.list_runs(50)
        steps = opened.record(run).steps

    assert (run.failed_at, run.error_type, run.next) == ("work", "KeyError", ("work",))
    assert [(step.name, step.error is None) for step in steps] == [
        ("plan", True),
        ("work", True),
        ("work", True),
        ("work", False),
    ]
    assert steps[0].output["messages"][0]["content"] == "hi"


def test_the_last_attempts_word_counts(store):
    change(
        store,
        "INSERT INTO writes SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, -3,"
        " '__interrupt__', type, value FROM writes WHERE channel = '__error__'",
    )

    assert find(store, "bad").state == "interrupted"


def test_a_secret_in_an_error_is_not_shown(store):
    secret = "sk-" + "proj-" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    text = f"AuthError('refused: {secret}')".encode()
    packed = b"\xd9" + bytes([len(text)]) + text
    change(store, "UPDATE writes SET value = ? WHERE channel = '__error__'", packed)

    bad = find(store, "bad")
    assert bad.error_type == "AuthError"
    assert "refused" in bad.error_message
    assert secret not in bad.error_message


def test_an_error_of_another_form_is_told_as_its_type_and_size(store):
    change(store, "UPDATE writes SET type = 'pickle', value = x'800495' WHERE channel = '__error__'")

    bad = find(store, "bad")
    assert (bad.state, bad.error_type, bad.error_message) == ("failed", "", "(pickle, 3 bytes)")


def test_writes_of_an_older_saver_have_no_path(store):
    change(store, "ALTER TABLE writes DROP COLUMN task_path")

    bad = find(store, "bad")
    assert (bad.failed_at, bad.error_type) == ("", "ValueError")


@pytest.mark.parametrize(
    ("kind", "blob", "why"),
    [
        ("pickle", b"\x80\x04K\x01.", "is not of a form"),
        ("msgpack+aes", b"abcdef", "is not of a form"),
        ("msgpack", b"\x85\xa1v", "is damaged"),
        ("msgpack", b"\x90", "is no checkpoint"),
        ("msgpack", b"\x81\xa1v\x02", "of form 2"),
        (None, None, "is not of a form"),
    ],
)
def test_a_checkpoint_that_cannot_be_read_makes_its_state_unknown(store, kind, blob, why):
    change(store, "UPDATE checkpoints SET type = ?, checkpoint = ? WHERE thread_id = 'good'", kind, blob)

    good = find(store, "good")
    assert good.state == "unknown"
    assert why in good.note


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_nothing_is_written_and_no_file_appears(store, tmp_path, mode):
    change(store, f"PRAGMA journal_mode = {mode}")
    before = picture(tmp_path)

    assert len(list_runs(store)) == 3
    assert picture(tmp_path) == before


def test_the_log_of_a_process_that_is_gone_is_read_and_left_as_it_is(store, tmp_path):
    change(store, "PRAGMA journal_mode = WAL")
    left = tmp_path / "left"
    left.mkdir()
    with closing(sqlite3.connect(store)) as writer:
        writer.execute("DELETE FROM checkpoints WHERE thread_id = 'ask'")
        writer.commit()
        for end in ("", "-wal"):
            shutil.copyfile(f"{store}{end}", f"{left / store.name}{end}")
    before = picture(left)

    assert [t.run_id for t in list_runs(left / store.name)] == ["bad", "good"]
    assert picture(left) == before


def test_a_graph_may_write_meanwhile(store):
    change(store, "PRAGMA journal_mode = WAL")
    with closing(sqlite3.connect(store)) as writer:
        writer.execute("DELETE FROM checkpoints WHERE thread_id = 'ask'")
        writer.commit()
        writer.execute("DELETE FROM checkpoints WHERE thread_id = 'bad'")  # not committed

        assert [t.run_id for t in list_runs(store)] == ["bad", "good"]
        writer.commit()
    assert [t.run_id for t in list_runs(store)] == ["good"]


def test_what_is_no_such_file_is_refused_with_a_sentence(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    os.mkfifo(tmp_path / "pipe")
    other = make(tmp_path / "other.sqlite", "CREATE TABLE checkpoints (thread_id TEXT);")
    views = make(
        tmp_path / "views.sqlite",
        "CREATE VIEW checkpoints AS"
        " SELECT 1 thread_id, '' checkpoint_ns, 1 checkpoint_id, '' type, '' checkpoint;",
    )
    damaged = make(tmp_path / "damaged.sqlite", STORE)
    damaged.write_bytes(damaged.read_bytes()[:4096] + b"\xff" * 8192)

    for path in (text, tmp_path / "none", tmp_path, tmp_path / "pipe", other, views, damaged):
        with pytest.raises(ConfigError, match=r"\.$"):
            list_runs(path)
    assert not (tmp_path / "none").exists()


def test_tables_of_the_users_own_may_stand_beside_them(store):
    for name in ("order", "a b", 'x"; DROP TABLE writes; --'):
        quoted = name.replace('"', '""')
        change(store, f'CREATE TABLE "{quoted}" (thread_id TEXT)')

    assert len(list_runs(store)) == 3


def test_an_empty_store_says_so(tmp_path, capsys):
    empty = make(tmp_path / "empty.sqlite", TABLES)

    assert run(["attach", str(empty)]) == 0
    assert "No runs" in capsys.readouterr().err


def test_the_command_prints_what_the_page_shows(store, capsys):
    assert run(["attach", str(store), "--no-color"]) == 0
    page = (ROOT / "docs" / "attach.md").read_text()
    shown = page.partition("```text\n")[2].partition("```")[0]

    def without_ages(table):
        return [re.sub(r"\d+ \w+ ago", "", " ".join(line.split())).split() for line in table.splitlines()]

    assert without_ages(capsys.readouterr().out) == without_ages(shown)


def test_json_has_every_member(store, capsys):
    assert run(["attach", str(store), "--json"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]

    assert [item["state"] for item in items] == ["interrupted", "failed", "finished"]
    assert items[1]["error_type"] == "ValueError"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(data):
    with suppress(NotPacked):
        read_packed(data)


def test_packed_values_are_read_as_what_they_are():
    packed = b"\x86\xa1a\xff\xa1b\xcb?\xf8" + b"\0" * 6
    packed += b"\xa1c\x93\xc0\xc2\xc3\xa1d\xc4\x02hi\xa1e\xd4\x05x\xa1f\xcd\x01\x00"

    assert read_packed(packed) == {
        "a": -1,
        "b": 1.5,
        "c": [None, False, True],
        "d": b"hi",
        "e": Extension(5, b"x"),
        "f": 256,
    }


@pytest.mark.parametrize(
    "data", [b"", b"\xc1", b"\xdd\xff\xff\xff\xff\x01", b"\x91" * (DEPTH_MAX + 2) + b"\x01", b"\x01\x01"]
)
def test_what_is_cut_deep_or_followed_by_more_is_refused(data):
    with pytest.raises(NotPacked):
        read_packed(data)
