"""Light dataclasses: made often, so without the guard of frozen ones, and otherwise the same."""

from dataclasses import fields, replace

import pytest

from omium.server.db.light import light
from omium.server.store.executions import ExecutionRow


@light(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0


def test_they_compare_hash_and_are_replaced_like_frozen_ones():
    assert Point(1) == Point(1, 0) != Point(2)
    assert len({Point(1), Point(1), replace(Point(1), y=2)}) == 2
    assert [field.name for field in fields(Point)] == ["x", "y"]


def test_they_have_no_room_for_anything_else():
    with pytest.raises(AttributeError):
        Point(1).z = 1  # type: ignore[attr-defined]


def test_a_row_sets_its_fields_without_a_detour():
    assert ExecutionRow.__setattr__ is object.__setattr__
