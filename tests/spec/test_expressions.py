"""An expression is judged when it is saved, and gets to see what it names and nothing else."""

from functools import partial

import pytest

from omium.spec.expressions import ExpressionInvalid, check_expression, list_paths, project
from omium.spec.references import look_inside

NAMES = ["output", "error", "inputs", "nodes.write.output", "nodes.my-node.output"]


@pytest.mark.parametrize(
    "source",
    [
        "output.confidence > 0.5",
        "output.confidence >= inputs.threshold && !output.final",
        "has(output.title) ? output.title == 'x' : false",
        "output.items.exists(item, item.score > 0.9)",
        "output.items.filter(x, x > 1).map(x, x * 2).size() > 2",
        "size(output.items) in [1, 2, 3]",
        "nodes.write.output.title.startsWith('A')",
        "nodes['my-node'].output.n == 1",
        'nodes["write"].output == null',
        "output.name.matches(r'^[a-z]+\\d$')",
        "error.code == 'provider-overloaded' || error.code == \"it's\"",
        "timestamp(output.at) > timestamp('2026-01-01T00:00:00Z')",
        "-output.n < .5e3",
        "{'a': output.n}['a'] == 1u",
        "true",
        "output",
        "output.items.all(output, output > 1)",
        "output.kinds.map(k, k == 'a', k) == ['a']",
        "output['kind'].contains('\\'')",
    ],
)
def test_what_workflows_need_is_accepted(source):
    assert check_expression(source, NAMES) == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("x" * 1_025, "1,025 bytes"),
        ("'" + "é" * 512 + "'", "1,026 bytes"),
        ("'\ud800'", "surrogate"),
        ("output.a = 1", "character 10: '=' has no meaning in an expression. Compare with =="),
        ("output.a & 1", "Write &&"),
        ("{{ output.a }}", "cannot be read"),
        ("${output.a}", "Write the path itself"),
        ("`output`.a", "index"),
        ("output.a == 'x", "no end"),
        ("output.a == '''x'''", "one pair of quotes"),
        ("b'x' == output", "one pair of quotes"),
        ("output.a // why", "cannot be read"),
        ("output.a\x00", "has no meaning"),
        ("é", "has no meaning"),
        ("(output.a", ") is missing at the end"),
        ("output.a)", "closes nothing"),
        ("[output.a)", "closes nothing"),
        (".output.a", "missing before the dot"),
        ("1 output", "cannot be read"),
        ("1output", "sign is missing"),
        ("output.a >", "cannot be read"),
        ("output if output else 1", "if cannot be read here"),
        ("output.?a", "cannot be read"),
        ("output[?'a']", "cannot be read"),
        ("Foo{a: 1}", "messages"),
        ("google.protobuf.Any{}", "messages"),
        ("secrets.token == 'x'", "secrets.token cannot be read here"),
        ("nodes.other.output.n > 1", "nodes.other.output.n cannot be read here"),
        ("nodes[output.name].output", "nodes cannot be read here"),
        ("nodes['wr\\u0069te'].output", "nodes cannot be read here"),
        ("nodes.all(n, n)", "nodes cannot be read here"),
        ("output.items.map(x, x) == x", "x cannot be read here"),
        ("x.all(x, true)", "x cannot be read here"),
        ("open('/etc/passwd')", "no function open"),
        ("output.__class__()", "no function __class__"),
        ("optional.of(output)", "no function of"),
        ("cel.bind(x, output, x)", "no function bind"),
        ("output.items.all(x, output.items.all(y, x == y))", "inside of another"),
        ("output.items.map(x, x.filter(y, y).map(z, z))", "inside of another"),
        ("output.a.exists(x, size(output.b.filter(y, y == x)) > 0)", "inside of another"),
        ("(" * 40 + "output" + ")" * 40, "32 deep"),
        ("size(" * 40 + "output" + ")" * 40, "32 deep"),
        ("[" * 1_000, "32 deep"),
        ("!" * 1_000, "cannot be read"),
    ],
)
def test_what_is_hostile_or_a_slip_is_refused_with_its_place_and_reason(source, reason):
    problems = check_expression(source, NAMES)

    assert any(reason in problem for problem in problems), problems
    assert all(problem.endswith(".") or "has no meaning" in problem for problem in problems)


def test_every_unknown_name_is_told_at_once():
    problems = check_expression("a.b > c && d(1) == a.b", ["output"])

    assert [problem.split(": ")[0] for problem in problems] == [
        "At character 12",
        "At character 1",
        "At character 7",
    ]


def test_what_is_read_is_told_as_paths():
    source = (
        "output.a.b > inputs.n && nodes['my-node'].output.list[0].x == output.a.items.map(x, x.y + inputs.m)"
    )

    assert list_paths(source) == [
        ("inputs", "m"),
        ("inputs", "n"),
        ("nodes", "my-node", "output", "list"),
        ("output", "a", "b"),
        ("output", "a", "items"),
    ]


def test_a_path_inside_of_another_is_read_with_it():
    assert list_paths("output.a.b == 1 && output.a == {} && output.ab == 1") == [
        ("output", "a"),
        ("output", "ab"),
    ]


def test_paths_of_what_is_not_accepted_are_not_told():
    with pytest.raises(ExpressionInvalid, match="no function open"):
        list_paths("open(output)")


def test_only_what_is_named_is_projected():
    values = {"output": {"a": {"b": 1, "c": 2}, "secret": "x"}, "inputs": {"n": 1}, "error": None}
    paths = list_paths("output.a.b == 1 && has(output.missing.deeper)")

    assert project(paths, partial(look_inside, values)) == {"output": {"a": {"b": 1}, "missing": {}}}


def test_what_is_not_an_object_has_nothing_inside():
    assert project([("output", "a")], partial(look_inside, {"output": "text"})) == {"output": {}}
    assert project([("output", "a")], partial(look_inside, {})) == {"output": {}}
