"""References and templates: read once, replaced once, nothing run."""

import pytest

from omium.jsonvalue import json_bytes
from omium.spec.references import (
    MISSING,
    Reference,
    ReferenceInvalid,
    ReferenceUnavailable,
    is_larger,
    list_references,
    look_inside,
    read_path,
    resolve,
)
from omium.spec.templates import UnknownName, list_names, render

VALUES = {"inputs": {"topic": "tea", "a.b": 1, "list": [{"x": 1}, None]}}


def lookup(path):
    return look_inside(VALUES, path)


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ({"$from": "inputs.topic"}, "tea"),
        ({"$from": ["inputs", "a.b"]}, 1),
        ({"$from": "inputs.list.0.x"}, 1),
        ({"$from": "inputs.list.1"}, None),
        ({"$from": "inputs.none", "default": None}, None),
        ({"$from": "inputs.none", "default": {"$from": "inputs.topic"}}, {"$from": "inputs.topic"}),
        ({"a": [{"$from": "inputs.topic"}, 2]}, {"a": ["tea", 2]}),
        ({"$literal": {"$from": "inputs.topic"}}, {"$from": "inputs.topic"}),
        ({"$literal": 1, "b": 2}, {"$literal": 1, "b": 2}),
        ("{topic}", "{topic}"),
    ],
)
def test_a_value_is_resolved_once_and_what_is_put_in_is_not_looked_at_again(value, resolved):
    assert resolve(value, lookup) == resolved


@pytest.mark.parametrize(
    "path", ["inputs.none", "inputs.list.2", "inputs.list.-1", "inputs.list.x", "inputs.topic.0"]
)
def test_what_is_not_there_and_has_no_default_is_unavailable(path):
    assert lookup(read_path(path)) is MISSING
    with pytest.raises(ReferenceUnavailable, match=path.replace(".", r"\.")):
        resolve({"x": {"$from": path}}, lookup)


@pytest.mark.parametrize("path", ["", ".", "a..b", 3, [], ["a", 1], ["a", ""], None, ".".join("a" * 65)])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ReferenceInvalid):
        read_path(path)


def test_references_are_listed_with_their_places_and_literals_are_left_alone():
    value = {"a~/": [{"$from": "inputs.x"}], "b": {"$from": 3}, "c": {"$literal": {"$from": "no"}}}

    assert list(list_references(value, "/inputs")) == [
        Reference("/inputs/a~0~1/0", ("inputs", "x"), has_default=False),
        ("/inputs/b", '$from is a text such as "nodes.write.output", or a list of its parts.'),
    ]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("On {topic}.", "On tea."),
        ("{topic}{topic}", "teatea"),
        ("{data}", '{"b":1,"a":"{topic}"}'),
        ("{{topic}} and {topic}", "{topic} and tea"),
        ('Answer as {"topic": {"x": 1}}', 'Answer as {"topic": {"x": 1}}'),
        ("{topic.upper}{topic!r}{0}{}{ topic }", "{topic.upper}{topic!r}{0}{}{ topic }"),
        ("{{topic", "{{topic"),
    ],
)
def test_a_template_is_filled_once_and_other_braces_stay(template, text):
    assert render(template, {"topic": "tea", "data": {"b": 1, "a": "{topic}"}}) == text


def test_a_template_tells_its_names_and_refuses_one_that_nobody_gave():
    assert list_names("{b}{a}{b}{{c}} {d e}") == ["b", "a"]
    with pytest.raises(UnknownName, match="topik"):
        render("{topik}", {"topic": ""})


@pytest.mark.parametrize("value", ["x" * 99, {"x" * 99: 1}, [None] * 99, [["x" * 9] * 9] * 9, 12345, True])
def test_a_value_is_called_larger_only_if_its_text_is(value):
    size = len(json_bytes(value))
    assert not is_larger(value, size)
    assert is_larger(value, 0)


def test_a_value_that_no_memory_could_hold_as_text_is_measured_at_once():
    value = "x"
    for _ in range(60):
        value = [value, value]
    assert is_larger(value, 100_000)
