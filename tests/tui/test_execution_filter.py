"""The language of the filter of executions."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.clock import US_PER_S
from omium.states import Environment, ExecutionStatus
from omium.tui.execution_filter import read_filter, without, words_of

NOW_US = 1_800_000_000 * US_PER_S


def test_each_filter_goes_to_the_server_and_words_stay_here():
    wanted = read_filter(
        "status:failed workflow:report tag:x key:order-1 env:prod since:2h until:1h two words", NOW_US
    )
    assert wanted.for_server == {
        "status": ExecutionStatus.FAILED,
        "workflow": "report",
        "tag": "x",
        "business_key": "order-1",
        "environment": Environment.PROD,
        "from_us": NOW_US - 7_200 * US_PER_S,
        "until_us": NOW_US - 3_600 * US_PER_S,
    }
    assert wanted.words == "two words"
    assert wanted.wrong == ""


def test_a_value_with_blanks_is_quoted():
    assert read_filter("workflow:'nightly report' x", NOW_US).workflow == "nightly report"
    assert read_filter('tag:"a b"', NOW_US).tag == "a b"


def test_a_status_may_be_begun():
    assert read_filter("s:comp", NOW_US).status is ExecutionStatus.COMPLETED


@pytest.mark.parametrize("text", ["status:broken", "since:yesterday-ish", "env:p roduction", "status:c"])
def test_what_cannot_be_read_is_said_and_filters_nothing(text):
    wanted = read_filter(text, NOW_US)
    assert wanted.wrong or text.startswith("env:p ")
    assert read_filter("since:nonsense", NOW_US).for_server == {}


def test_other_words_with_colons_are_words():
    assert words_of("http://x.example a:b:c status:failed") == "http://x.example a:b:c"


def test_one_filter_can_be_taken_out():
    assert without("status:failed tag:x words", "status") == "tag:x words"


def test_the_command_line_lists_the_same():
    command = read_filter("status:failed workflow:'a b' tag:$(x)", NOW_US).command_line
    assert shlex.split(command) == [
        "omium", "executions", "list", "--status", "failed", "--workflow", "a b", "--tag", "$(x)",
    ]  # fmt: skip


def test_times_are_read_as_people_write_them():
    day = read_filter("since:2026-01-31", NOW_US).from_us
    hour = read_filter("since:2026-01-31T08:00", NOW_US).from_us
    assert day is not None
    assert hour is not None
    assert hour - day == 8 * 3_600 * US_PER_S
    today = read_filter("since:today", NOW_US).from_us
    assert today is not None
    assert 0 <= NOW_US - today < 86_400 * US_PER_S


@given(st.text(max_size=60))
def test_whatever_is_typed_is_read(text):
    wanted = read_filter(text, NOW_US)
    assert set(wanted.for_server) <= {
        "status",
        "workflow",
        "environment",
        "tag",
        "business_key",
        "from_us",
        "until_us",
        "parent",
        "replay_of",
    }
