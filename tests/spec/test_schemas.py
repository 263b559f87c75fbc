"""Values against strangers' schemas: nothing is fetched, nothing hangs, places are told."""

import pytest

from omium.spec.schemas import SchemaInvalid, check_schema, check_value


def places(schema, value):
    return {problem.pointer: problem.detail for problem in check_value(schema, value)}


def nested(depth, innermost):
    value = innermost
    for _ in range(depth):
        value = {"a": value}
    return value


def test_every_problem_of_a_value_is_told_with_its_place():
    schema = {
        "type": "object",
        "properties": {"a~/b": {"type": "integer"}, "list": {"items": {"type": "string"}}},
        "required": ["title"],
    }

    assert places(schema, {"a~/b": "x", "list": ["one", 2]}) == {
        "": '"title" is a required property.',
        "/a~0~1b": '"x" is not of type "integer".',
        "/list/1": '2 is not of type "string".',
    }


@pytest.mark.parametrize("schema", [{}, True])
def test_an_empty_schema_takes_everything(schema):
    assert check_value(schema, {"any": [1, None]}) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$dynamicRef": "http://127.0.0.1:1/x"},
        {"$schema": "http://127.0.0.1:1/dialect"},
        {"$ref": "#/$defs/missing"},
        {"type": "text"},
        {"pattern": "("},
        {"pattern": "(?=a)b"},
        {"pattern": "(a{1000}){1000}{1000}"},
        {"properties": {f"p{number}": {"const": "x" * 100} for number in range(3_000)}},
        ["no", "schema"],
        "text",
        nested(100, {}),
    ],
)
def test_a_schema_that_reaches_outside_or_is_none_is_refused(schema):
    with pytest.raises(SchemaInvalid):
        check_value(schema, 1)
    assert isinstance(check_schema(schema), SchemaInvalid)


def test_a_pattern_that_hangs_elsewhere_takes_linear_time():
    assert len(check_value({"pattern": "^(a+)+$"}, "a" * 200_000 + "!")) == 1


@pytest.mark.parametrize("word", ["anyOf", "oneOf", "allOf"])
def test_a_schema_that_refers_to_itself_twice_per_level_ends(word):
    twice = {"properties": {"a": {word: [{"$ref": "#"}, {"$ref": "#"}]}}, "required": ["a"]}

    problems = check_value(twice, nested(45, {"b": 1}))

    assert [problem.pointer for problem in problems] == [""]
    assert "refers to itself" in problems[0].detail


def double(deep):
    parts = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(deep)}
    return {"$defs": {**parts, f"d{deep}": {"type": "integer"}}, "$ref": "#/$defs/d0"}


def clique(size):
    names = [f"#/$defs/d{n}" for n in range(size)]
    parts = {f"d{n}": {"anyOf": [{"$ref": name} for name in names]} for n in range(size)}
    return {"$defs": parts, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    "schema",
    [
        double(40),
        clique(12),
        {**double(40), "$defs": {**double(40)["$defs"], "d40": {"properties": {"a": {"$ref": "#"}}}}},
        {"$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(999)}, "$ref": "#/$defs/d0"},
        {"$ref": "#one", "$defs": {"one": {"$anchor": "one"}}},
    ],
)
def test_a_schema_that_is_huge_when_written_out_is_refused_before_it_is_used(schema):
    assert check_schema(schema) is not None


def test_a_schema_with_a_few_references_that_double_is_used():
    assert check_value(double(8), 3) == []
    assert len(check_value(double(8), "x")) >= 1


def test_places_are_told_through_references_that_go_in_no_circle():
    schema = {"$defs": {"name": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/name"}}}

    assert list(places(schema, {"a": 1})) == ["/a"]


def test_a_value_with_a_thousand_mistakes_is_told_with_twenty_and_long_ones_are_cut():
    problems = check_value({"items": {"type": "integer"}}, ["x" * 5_000] * 1_000)

    assert len(problems) == 20
    assert all(len(problem.detail) <= 310 for problem in problems)
