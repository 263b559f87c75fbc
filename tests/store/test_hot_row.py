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
    assert changed == {"last_seq", "steps_completed", "lease_touched_us", "updated_us"}

    following = [
        name
        for table, name, text in indexes
        if table == "executions" and text and changed & set(re.findall(r"\w+", text))
    ]

    assert following == []


def test_a_step_has_one_index(indexes):
    assert [name for table, name, _ in indexes if table == "steps"] == ["steps_by_path"]


def test_digests_take_half_the_room_and_a_name_that_is_the_path_none(indexes):
    row = steps.StepRow(
        **dict.fromkeys(steps.StepRow.__dataclass_fields__)
        | {"path": "search", "name": "search", "input_digest": b"\xab" * 32, "output_digest": b"\xcd" * 32}
    )

    assert (row.input_digest, row.output_digest) == ("ab" * 32, "cd" * 32)
    values = steps.column_values(row)
    assert (values["input_digest"], values["output_digest"]) == (b"\xab" * 32, b"\xcd" * 32)
    assert "NULLIF(:name, :path)" in steps.PUT.text
