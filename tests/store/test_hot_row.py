"""What every step of a driver touches stays small: one row that no index follows, and one index of steps."""

import re
import sqlite3

import pytest

from omium.server.db.migrate import list_migrations
from omium.server.store import executions, steps


@pytest.fixture
def indexes():
    """The text of every index by table; what follows from a PRIMARY KEY has none."""
    connection = sqlite3.connect(":memory:")
    for migration in list_migrations():
        connection.executescript(migration.script("sqlite"))
    found = connection.execute(
        "SELECT tbl_name, name, sql FROM sqlite_schema WHERE type = 'index'"
    ).fetchall()
    connection.close()
    return found


def test_no_index_follows_what_a_drivers_write_changes(indexes):
    """PostgreSQL changes such a row in place; with one such index every step writes to all of them."""
    changed = set(re.findall(r"(\w+) =", executions.FENCE.text.partition("WHERE")[0]))
    assert {"last_seq", "steps_completed", "lease_touched_us", "updated_us"} <= changed

    following = [
        name
        for table, name, text in indexes
        if table == "executions" and text and changed & set(re.findall(r"\w+", text))
    ]

    assert following == []


def test_a_step_has_one_index(indexes):
    assert [name for table, name, _ in indexes if table == "steps"] == ["steps_by_path"]


def make_row(**columns):
    return steps.StepRow(**dict.fromkeys(steps.StepRow.__dataclass_fields__) | {"occurrence": 1} | columns)


def test_digests_take_half_the_room():
    row = make_row(path="search", input_digest=b"\xab" * 32, output_digest=b"\xcd" * 32)

    assert (row.input_digest, row.output_digest) == ("ab" * 32, "cd" * 32)
    values = steps.column_values(row)
    assert (values["input_digest"], values["output_digest"]) == (b"\xab" * 32, b"\xcd" * 32)


@pytest.mark.parametrize(
    ("path", "name", "occurrence", "stored"),
    [
        ("search", "search", 1, None),
        ("report/search", "search", 1, None),
        ("report/search#2", "search", 2, None),
        ("search#2", "search#2", 1, None),
        ("search[key]", "search", 1, "search"),
        ("search#2", "search", 3, "search"),
    ],
)
def test_a_name_that_follows_from_its_path_takes_no_room(path, name, occurrence, stored):
    row = make_row(path=path, name=name, occurrence=occurrence, input_digest="ab", comparable="full")

    values = steps.column_values(row)

    assert (values["name"], values["comparable"]) == (stored, None)
    assert steps.StepRow(**values) == row


def test_what_cannot_be_compared_says_so():
    row = make_row(path="search", name="search", input_digest="ab", comparable="none")

    assert steps.column_values(row)["comparable"] == "none"
