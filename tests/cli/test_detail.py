"""How an execution's steps are listed."""

import pytest

from omium.cli.detail import in_order
from omium.models.execution import Step


def step(key, started_us, seq):
    fields = {"key": key, "started_at_us": started_us, "ended_at_us": started_us, "completed_seq": seq}
    return Step.model_construct(**fields)


@pytest.mark.parametrize(
    ("steps", "listed"),
    [
        ([("b", 1, 1), ("a", 2, 2)], ["b", "a"]),
        ([("a", 1, 3), ("b", 1, 2), ("c", 1, None)], ["b", "a", "c"]),
        ([("a", 1, 4), ("a/x", 1, 1), ("b", 1, 3), ("b/y", 1, 2)], ["b", "b/y", "a", "a/x"]),
    ],
)
def test_steps_that_start_together_are_listed_as_they_ended_each_below_its_own(steps, listed):
    assert [each.key for each in in_order([step(*each) for each in steps])] == listed
