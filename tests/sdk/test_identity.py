import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.errors import DuplicateStepKey, InvalidStepName
from omium.sdk.identity import DEPTH_MAX, Scope, clean_name, to_segment


def test_the_first_call_has_its_name_and_later_ones_are_counted():
    scope = Scope()

    assert [scope.allot(name).path for name in ("write", "read", "write", "write")] == [
        "write", "read", "write#2", "write#3",
    ]  # fmt: skip


def test_a_step_opens_a_scope_with_counters_of_its_own():
    root = Scope()
    outer = root.allot("draft")

    assert root.open(outer).allot("write").path == "draft/write"
    assert root.open(outer).allot("write").path == "draft/write"
    assert root.allot("write").path == "write"


def test_characters_with_a_meaning_are_escaped():
    assert Scope().allot("a/b#2[0]~%").path == "a%2Fb%232%5B0%5D%7E%25"


def test_names_that_look_alike_are_one_name():
    scope = Scope()

    assert scope.allot("caf\u00e9").path == "café"
    assert scope.allot("cafe\u0301").path == "café#2"


def test_a_key_may_be_used_once():
    scope = Scope()

    assert scope.allot("fetch", key="page-1").path == "page-1"
    with pytest.raises(DuplicateStepKey, match="page-1"):
        scope.allot("fetch", key="page-1")


def test_a_key_and_a_name_never_share_a_path():
    first, second = Scope(), Scope()
    first.allot("fetch")
    second.allot("load", key="fetch")

    with pytest.raises(DuplicateStepKey):
        first.allot("load", key="fetch")
    with pytest.raises(DuplicateStepKey):
        second.allot("fetch")


@pytest.mark.parametrize("name", ["", "x" * 201, "é" * 101, "a\nb", "\ud800"])
def test_a_bad_name_is_refused_with_the_remedy(name):
    with pytest.raises(InvalidStepName):
        clean_name(name)


def test_steps_nest_sixteen_deep_and_no_deeper():
    scope = Scope()
    for _ in range(DEPTH_MAX):
        scope = scope.open(scope.allot("s"))

    with pytest.raises(InvalidStepName, match="17 deep"):
        scope.allot("s")


def test_a_path_has_at_most_a_kibibyte():
    scope = Scope()
    for _ in range(5):
        scope = scope.open(scope.allot("x" * 200))

    with pytest.raises(InvalidStepName, match="1024 bytes"):
        scope.allot("y" * 20)


def test_racing_threads_get_different_numbers():
    scope = Scope()
    paths = []
    start = threading.Barrier(8)

    def call():
        start.wait()
        paths.extend(scope.allot("s").path for _ in range(200))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(paths)) == 1600
    assert "s#1600" in paths


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_two_names_have_two_segments_and_no_segment_holds_a_separator(first, second):
    segments = to_segment(first), to_segment(second)

    assert (segments[0] == segments[1]) == (first == second)
    assert not set("/#[]~") & set("".join(segments))
