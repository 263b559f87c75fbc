"""Reading JSON that a stranger sent: what is refused, where, and at what cost."""

import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.errors import InvalidJson, Unserialisable
from omium.jsonvalue import JsonLimits, canonical_bytes, digest, json_bytes, parse_json

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text('ab$:"\\/{}[],é😀\u2028', max_size=4), inner, max_size=5)
    ),
    max_leaves=30,
)


def refuse(data, **limits):
    with pytest.raises(InvalidJson) as caught:
        parse_json(data, **limits)
    assert caught.value.detail.endswith(".")
    assert caught.value.__cause__ is None  # a cause would keep the whole body alive
    return caught.value.members["pointer"]


@given(json_values)
def test_what_other_programs_write_is_read_as_they_meant_it(value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False), json.dumps(value, indent=2)):
        assert parse_json(text) == value
        assert parse_json(text.encode()) == value


@given(json_values)
def test_both_writers_are_read_back_with_the_same_types(value):
    for written in (canonical_bytes(value), json_bytes(value)):
        assert repr_sorted(parse_json(written)) == repr_sorted(value)  # repr tells 1, 1.0, True, -0.0 apart


def repr_sorted(value):
    if isinstance(value, dict):
        return repr(sorted((key, repr_sorted(item)) for key, item in value.items()))
    return repr([repr_sorted(item) for item in value]) if isinstance(value, list) else repr(value)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        (b'{"a": 1, "b": {"c": [1, {"d": 1, "d": 2}]}}', "/b/c/1/d"),
        (b'{"a/b~c": [1, NaN]}', "/a~1b~0c/1"),
        (b'{"": {"": Infinity}}', "//"),
        (b"[-Infinity]", "/0"),
        (b"[1e400]", "/0"),
        (b"[0, [-1e400]]", "/1/0"),
        (b"[9223372036854775808]", "/0"),
        (b"[-9223372036854775809]", "/0"),
        (b"[" + b"9" * 5000 + b"]", "/0"),
        (b'{"x": "\\ud800"}', "/x"),
        (b'{"x": "\\ud83d\\ud83d"}', "/x"),
        (b'{"x": "\\udc00\\ud800"}', "/x"),
        (b'{"x": "\\u0000"}', "/x"),
        (b'{"x": "\\\\\\u0000"}', "/x"),
        (b'{"k\\u0000": 1}', ""),
        (b'{"x": "a\x00b"}', "/x"),
        (b'{"x": ["a\tb"]}', "/x/0"),
        (b'{"x": "\xff"}', "/x"),
        (b'{"x": "\xed\xa0\x80"}', "/x"),
        (b"\xff", ""),
        (b"\xef\xbb\xbf1", ""),
        ('"\ud800"', ""),
        (b"", ""),
        (b"  ", ""),
        (b"[1", "/0"),
        (b"[1,]", "/1"),
        (b'{"a": 1,}', ""),
        (b'{"a" 1}', "/a"),
        (b"{a: 1}", ""),
        (b"['a']", "/0"),
        (b"[01]", "/0"),
        (b"[1.]", "/0"),
        (b"[+1]", "/0"),
        (b"[{]", "/0"),
        (b"1 2", ""),
        (b'"a', ""),
        (b'"\\x"', ""),
        (b"nul", ""),
    ],
)
def test_a_refusal_points_to_the_place(text, pointer):
    assert refuse(text) == pointer


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'"\\\\u0000"', "\\u0000"),
        (b'"\\\\\\\\ud800"', "\\\\ud800"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b" [1] \r\n", [1]),
        (b'"' + b"[" * 500 + b'"', "[" * 500),
        (b'"\\"' + b"[" * 500 + b'"', '"' + "[" * 500),
        (b'"\\\\"', "\\"),
    ],
)
def test_what_only_looks_forbidden_is_taken(text, value):
    assert parse_json(text) == value


def test_depth_is_taken_up_to_the_limit_and_refused_beyond():
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        parse_json(opening * 64 + (b"" if closing == b"]" else b"1") + closing * 64)
        assert refuse(opening * 65 + (b"" if closing == b"]" else b"1") + closing * 65)
    wide = b"[" + b",".join([b"[{}]"] * 500) + b"]"  # many brackets, but shallow
    assert len(parse_json(wide)) == 500


def test_keys_of_one_object_containers_and_values_are_limited():
    many = {str(number): 0 for number in range(10_001)}
    assert refuse(json.dumps({"x": [many]})) == "/x/0"
    del many["0"]
    parse_json(json.dumps([many, many]))
    assert refuse(b"[[],[],[[]]]", limits=JsonLimits(max_containers=4, max_depth=3)) == "/2/0"
    assert refuse(b"[[],1,2,3,4]", limits=JsonLimits(max_values=5, max_depth=1)) in {"/0", "/4"}


@pytest.mark.parametrize(
    "hostile",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b"[" * 500_000 + b"]" * 500_000,
        b'"[' * 500_000,
        b"[" + b"[]," * 300_000 + b"1]",
        b"[" + b"1," * 500_000 + b"x]",
        b'"' + b"\\\\" * 500_000 + b'\\u0000"',
        b'["' + b'\\"' * 500_000,
        b" " * 1_000_000,
        b"9" * 1_000_000,
        b"1e" + b"9" * 1_000_000,
        b'{"' + b"k" * 1_000_000 + b'":NaN}',
    ],
    ids=lambda data: ascii(data[:8]),
)
def test_a_megabyte_of_malice_costs_little_time_and_memory(hostile):
    tracemalloc.start()
    try:
        started_s = time.process_time()
        pointer = refuse(hostile)
        spent_s = time.process_time() - started_s
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(pointer) <= 500
    assert spent_s < 40  # of CPU; tracemalloc and coverage slow it 30 times, and quadratic would be hours
    assert peak_bytes < 60 * 1024 * 1024


def test_only_json_values_are_written():
    for value in ({1: 2, "a": 3}, float("nan"), "\ud800", object(), {"a": {1, 2}}):
        with pytest.raises(Unserialisable):
            canonical_bytes(value)


def test_the_canonical_form_sorts_keys_by_code_point_and_the_ordered_one_does_not():
    value = {"b": 1.0, "\U0001f600": 2, "\uffff": 3, "a": -0.0}
    assert canonical_bytes(value) == '{"a":-0.0,"b":1.0,"\uffff":3,"\U0001f600":2}'.encode()
    assert list(parse_json(json_bytes(value))) == list(value)
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
