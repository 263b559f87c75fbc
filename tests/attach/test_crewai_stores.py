"""What CrewAI stored is told without CrewAI: checkpoints in a folder and in SQLite, flows with @persist.

The stores are what CrewAI 1.15.30 wrote, without agents; tests/crewai/test_attach.py has the whole of it.
"""

import json
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omium.adapters.attach import crew_checkpoints, crew_flows, crew_rows, jsonb, open_store
from omium.adapters.attach.crew_checkpoints import CrewCheckpoints
from omium.adapters.attach.crew_folder import Folder
from omium.adapters.attach.crew_rows import parse
from omium.adapters.attach.importing import make_import
from omium.adapters.attach.jsonb import NotJsonb, read_jsonb
from omium.cli.main import run
from omium.errors import ConfigError

HERE = Path(__file__).parent
CHECKPOINTS = json.loads((HERE / "crewai_checkpoints.json").read_text())
FAILED = "ac1f5266-e5ce-42bc-a484-35d640aa561a"
FINISHED = "79d13b28-024c-4ecd-8c54-c61a640843d0"
KILLED = "43e5a636-3588-40b9-9286-a34e5adeae29"
FLOW = "1fdaf33d-51d6-4796-be1b-57abc3372a6a"


@pytest.fixture
def folder(tmp_path):
    for name, document in CHECKPOINTS.items():
        write(tmp_path / name, document)
    return tmp_path


def write(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def make(path, script):
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script)
    return path


@pytest.fixture
def flows(tmp_path):
    return make(tmp_path / "flow_states.db", (HERE / "crewai_flow_states.sql").read_text())


def list_runs(path, limit=50):
    with open_store(str(path)) as opened:
        return opened.list_runs(limit)


def find(path, run_id):
    with open_store(str(path)) as opened:
        return opened.find_run(run_id)


def record(path, run_id):
    with open_store(str(path)) as opened:
        return opened.record(opened.find_run(run_id))


def test_runs_of_a_folder_say_where_they_stand(folder):
    assert [(run.run_id, run.workflow, run.state, run.last, run.next) for run in list_runs(folder)] == [
        (FLOW, "F", "failed", ("plan",), ()),
        (KILLED, "report", "unfinished", ("research",), ("draft",)),
        (FAILED, "report", "failed", ("research",), ()),
        (FINISHED, "report", "finished", ("draft",), ()),
    ]
    assert [run.run_id for run in list_runs(folder, limit=1)] == [FLOW]
    assert find(folder, "nothing") is None


def test_a_failed_task_has_its_type_and_message(folder):
    failed = find(folder, FAILED)

    assert (failed.failed_at, failed.error_type, failed.checkpoints) == ("draft", "Exception", 3)
    assert failed.error_message.endswith("no otter is that good")


def test_a_run_is_recorded_with_its_tasks(folder):
    recorded = record(folder, FAILED)

    assert [(step.name, step.output, step.error is not None) for step in recorded.steps] == [
        ("research", "Otters play.", False),
        ("draft", None, True),
    ]
    assert recorded.input == {"topic": "badgers"}
    assert recorded.steps[0].ended_us - recorded.steps[0].started_us == 436_494
    assert record(folder, FINISHED).output == "Otters play all day."
    assert record(folder, KILLED).output is None
    assert [state.state["plan"] for state in record(folder, FLOW).states] == ["go"]


def test_calls_of_models_are_known_with_their_tasks(folder):
    assert [
        (call.model, call.input_tokens, call.output_tokens, call.step)
        for call in record(folder, FINISHED).usage
    ] == [("gpt-4o-mini", 12, 8, 0), ("gpt-4o-mini", 12, 9, 1)]


def test_agents_and_their_keys_are_never_taken(folder):
    secret = "sk-" + "planted-a1B2c3D4e5F6g7H8"
    for name, document in CHECKPOINTS.items():
        text = json.dumps(document).replace(
            '"description":', f'"agent": {{"llm": "{secret}"}}, "description":'
        )
        write(folder / name, json.loads(text))
    assert secret in (folder / next(iter(CHECKPOINTS))).read_text()

    with open_store(str(folder)) as opened:
        runs = opened.list_runs(50)
        told = repr([opened.record(run) for run in runs])

    assert len(runs) == 4
    assert secret not in told


STRANGE = (None, 0, "", "\x00", "\ud800", [], {}, [[]], {"a": 1}, True, 2**80, "9999-12-31T23:59:59+00:00")


def spoil(value, random):
    """A copy in which some things are others."""
    if random.random() < 0.05:
        return random.choice(STRANGE)
    if isinstance(value, dict):
        return {name: spoil(each, random) for name, each in value.items()}
    return [spoil(each, random) for each in value] if isinstance(value, list) else value


@settings(max_examples=40)
@given(st.randoms(use_true_random=False))
def test_whatever_stands_in_a_checkpoint_is_told_or_passed_over(random):
    with tempfile.TemporaryDirectory() as folder, suppress(ConfigError):
        for name, document in CHECKPOINTS.items():
            write(Path(folder, name), spoil(document, random))
        with open_store(folder) as opened:
            for run_ in opened.list_runs(50):
                recorded = opened.record(run_)
                assert recorded is None or make_import(recorded).model_dump_json()


def test_one_checkpoint_is_a_store_too(folder):
    name = next(name for name in CHECKPOINTS if "e1316de3_p-none" in name)

    assert [(run.run_id, run.state, run.next) for run in list_runs(folder / name)] == [
        (FINISHED, "unfinished", ("draft",))
    ]


def test_what_cannot_be_read_is_passed_over(folder):
    (folder / "main" / "20261123T080000_0123abcd_p-none.json").write_text('{"entities": [')
    (folder / "main" / "20261123T080001_0123abcd_p-none.json").write_text("[" * 100_000)
    write(folder / "main" / "20261123T080002_0123abcd_p-none.json", {"event_record": {"nodes": {"a": 7}}})
    (folder / "main" / "20261123T080003_0123abcd_p-none.json").mkdir()

    assert len(list_runs(folder)) == 4


def test_sqlites_binary_json_tells_the_same(folder, tmp_path):
    store = make(tmp_path / "checkpoints.db", (HERE / "crewai_checkpoints.sql").read_text())

    assert list_runs(store) == [find(folder, FAILED)]
    assert record(store, FAILED) == record(folder, FAILED)


def test_flows_say_what_was_saved_last_and_no_more(flows):
    runs = list_runs(flows)

    assert [(run.last, run.checkpoints, run.state) for run in runs] == [
        (("plan",), 1, "unknown"),
        (("write",), 2, "unknown"),
    ]
    assert "does not say" in runs[0].note
    recorded = record(flows, runs[1].run_id)
    assert [step.name for step in recorded.steps] == ["plan", "write"]
    assert recorded.states[-1].state["text"] == "Otters."


def test_a_flow_that_waits_for_feedback_is_interrupted(flows):
    run_id = list_runs(flows)[0].run_id
    with closing(sqlite3.connect(flows)) as db:
        values = (run_id, "{}", "{}", "2026-11-23T07:34:12")
        db.execute("INSERT INTO pending_feedback VALUES (1, ?, ?, ?, ?)", values)
        db.commit()

    assert find(flows, run_id).state == "interrupted"


def test_a_folder_without_checkpoints_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match="holds no checkpoints of CrewAI"):
        list_runs(tmp_path)


def test_the_command_prints_a_crews_runs(folder, capsys):
    assert run(["attach", str(folder), "--json"]) == 0

    items = json.loads(capsys.readouterr().out)["items"]
    assert [(item["framework"], item["failed_at"]) for item in items][2] == ("crewai", "draft")


@given(st.binary(max_size=200))
def test_any_bytes_are_binary_json_or_refused(data):
    with suppress(NotJsonb):
        read_jsonb(data)


@pytest.mark.parametrize("name", [b"\x00", b"\x131", b"\x0b", b"\x0c"])
def test_a_name_in_binary_json_that_is_no_text_is_refused(name):
    """As a text, one that holds a name that holds a name is twice as long each time."""
    member = name + b"\x00"
    with pytest.raises(NotJsonb, match="name"):
        read_jsonb(bytes([len(member) << 4 | 12]) + member)


def test_a_number_of_more_digits_than_any_has_is_refused():
    digits = b"0x" + b"f" * 5_000
    with pytest.raises(NotJsonb):
        read_jsonb(b"\xd4" + len(digits).to_bytes(2, "big") + digits)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x00", None),
        (b"\x13\x37", 7),
        (b"\x347-7", None),
        (b"\x35\x31.5", 1.5),
        (b"\x447fff", None),
        (b"\x640x7fff", 0x7FFF),
        (b"\x28\\n", "\n"),
        (b"\xbb" + b"\x01" * 11, [True] * 11),
        (b"\xcb\x0c" + b"\x02" * 12, [False] * 12),
        (b"\x4c\x17a\x13\x31", {"a": 1}),
    ],
)
def test_binary_json_is_what_sqlite_says(data, value):
    if value is None and data != b"\x00":
        with pytest.raises(NotJsonb):
            read_jsonb(data)
    else:
        assert read_jsonb(data) == value


def test_a_name_that_no_file_can_have_is_refused_in_a_sentence():
    with pytest.raises(ConfigError, match="cannot be read"), open_store("x" * 5_000):
        pass


# ---- stores of somebody who means ill


class Counting:
    """A store's rows, and which of them were read."""

    def __init__(self, rows):
        self.rows, self.read = rows, []

    def list_checkpoints(self):
        return self.rows.list_checkpoints()

    def load(self, stored):
        self.read.append(stored.checkpoint_id)
        return self.rows.load(stored)


def list_whole(folder):
    store = CrewCheckpoints(Counting(Folder(folder)))
    return {run.run_id: store.record(run) for run in store.list_runs(50)}


def test_a_run_is_read_from_the_newest_checkpoints_that_tell_of_it_only(folder):
    before = list_whole(folder)
    newest = max((path for path in folder.rglob("*.json")), key=lambda path: path.name)
    for number in range(5):  # copies, each the newest of a line of its own
        write(
            newest.with_name(f"20270101T00000{number}_0123abcd_p-none.json"), json.loads(newest.read_text())
        )
    rows = Counting(Folder(folder))
    store = CrewCheckpoints(rows)
    runs = store.list_runs(50)
    rows.read.clear()

    assert {run.run_id: store.record(run).steps for run in runs} == {
        id_: recorded.steps for id_, recorded in before.items()
    }
    copies = [id_ for id_ in rows.read if id_.startswith("2027")]
    assert {*copies} == {"20270101T000004_0123abcd"}


def test_no_more_is_read_of_a_store_than_it_says(folder, monkeypatch):
    whole = list_whole(folder)
    sizes = sorted(path.stat().st_size for path in folder.rglob("*.json"))
    monkeypatch.setattr(crew_checkpoints, "READ_BYTES_MAX", sizes[0])

    cut = list_whole(folder)

    assert 0 < len(cut) < len(whole)
    assert {each.omitted for each in whole.values()} == {()}
    assert all("the newest first" in each.omitted[0] for each in cut.values())


def test_a_flow_is_read_as_far_as_its_states_are_not_too_much(flows, monkeypatch):
    long = max(list_runs(flows), key=lambda run: run.checkpoints).run_id
    whole = record(flows, long)
    assert (len(whole.states) > 1, whole.omitted) == (True, ())
    monkeypatch.setattr(crew_flows, "READ_BYTES_MAX", 1)

    cut = record(flows, long)

    assert (len(cut.states), cut.states[0]) == (1, whole.states[-1])
    assert cut.omitted == ("only the newest 1 states are read",)


@pytest.mark.parametrize("many", [b"[" + b"[]," * 500 + b"0]", b"{" + b'"a":0,' * 999 + b'"b":1}'])
def test_a_small_file_of_too_many_values_is_passed_over(many, monkeypatch):
    document = b'{"a":' + many + b"}"
    assert parse(document) is not None
    assert parse(document.decode()) is not None

    monkeypatch.setattr(crew_rows, "VALUES_MAX", 900)

    assert parse(document) is None
    assert parse(document.decode()) is None


def test_binary_json_of_too_many_values_is_refused(monkeypatch):
    data = b"\xdb" + (1_000).to_bytes(2, "big") + b"\x0b" * 1_000
    assert read_jsonb(data) == [[]] * 1_000

    monkeypatch.setattr(jsonb, "VALUES_MAX", 1_000)

    with pytest.raises(NotJsonb, match="more than 1,000 values"):
        read_jsonb(data)
