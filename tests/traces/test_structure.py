"""A protobuf body that holds millions of empty messages is refused before they are made."""

import pytest

from omium.server.traces.protobuf import read_spans
from omium.server.traces.structure import check_structure
from omium.server.traces.wire import NotOtlp
from tests.traces.spans import llm, request

MILLIONS = 2_000_000


def number(value):
    made = b""
    while value > 127:
        made, value = made + bytes([value & 127 | 128]), value >> 7
    return made + bytes([value])


def part(field, body):
    return number(field << 3 | 2) + number(len(body)) + body


def inside(*fields, body):
    for field in reversed(fields):
        body = part(field, body)
    return body


HOSTILE = {
    "resources": part(1, b"") * MILLIONS,
    "scopes": inside(1, body=part(2, b"") * MILLIONS),
    "spans": inside(1, 2, body=part(2, b"") * MILLIONS),
    "spans behind a group that nobody knows": b"\x7b\x7c" + inside(1, 2, body=part(2, b"") * MILLIONS),
    "attributes": inside(1, 2, 2, body=part(9, b"") * MILLIONS),
    "events": inside(1, 2, 2, body=part(11, b"") * MILLIONS),
    "values of a list": inside(1, 2, 2, 9, 2, 5, body=part(1, b"") * MILLIONS),
    "pairs of a value": inside(1, 1, 1, 2, 6, body=part(1, b"") * MILLIONS),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_millions_of_empty_messages_are_refused(name):
    with pytest.raises(NotOtlp, match="send fewer spans"):
        next(read_spans(HOSTILE[name]))


@pytest.mark.parametrize("cut", [1, 5, 3_000, 400_000])
def test_what_is_torn_is_refused_before_it_is_read(cut):
    body = request([llm(1, 0, attributes={"gen_ai.prompt": "x" * 1_500_000})], 1).SerializeToString()
    with pytest.raises(NotOtlp, match="ends before its end"):
        check_structure(body[:-cut])


def test_a_large_body_of_real_spans_is_read_whole():
    made = request(
        [llm(each, 0, attributes={"gen_ai.prompt": ["x" * 200] * 4}) for each in range(1, 1_500)], 1
    )
    assert len(list(read_spans(made.SerializeToString()))) == 1_499
