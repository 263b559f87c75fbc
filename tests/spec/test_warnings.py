"""Warnings: what is allowed and will probably go wrong, and the neighbours that are not warned of."""

import pytest

from omium.spec.check import check_spec
from tests.spec.whole import edge, flow, function, with_change


def reads(name, path, **members):
    return function(name, inputs={"x": {"$from": path, **members}})


def joined(name, path, join):
    return {**reads(name, path), "join": join}


def decision(name):
    return {"id": name, "type": "decision"}


READS_A = "nodes.a.output.x > 1"
HANDLED = ("ab", edge("a", "b", on="failure"))
DIAMOND = ("ab", "ac", "bd", "cd")
ANY_OF = {"properties": {"t": {"anyOf": [{}]}}, "required": ["t"]}
IF = {"when": {"expr": "output.x"}}
MISSING = "may-be-missing"
AT_B = "/nodes/0/inputs/x"

CASES = [
    # b reads a
    (flow("ab", nodes=[reads("b", "nodes.a.output")]), []),
    (flow("ab", nodes=[reads("b", "nodes.a.error")]), [(AT_B, MISSING)]),
    (flow(edge("a", "b", on="failure"), nodes=[reads("b", "nodes.a.error")]), []),
    (flow(edge("a", "b", on="failure"), nodes=[reads("b", "nodes.a.output")]), [(AT_B, MISSING)]),
    (flow(edge("a", "b", on="always"), nodes=[reads("b", "nodes.a.output")]), [(AT_B, MISSING)]),
    (flow(edge("a", "b", on="always"), nodes=[reads("b", "nodes.a.output", default=1)]), []),
    (flow(edge("a", "b", **IF), nodes=[reads("b", "nodes.a.output")]), []),
    (flow(edge("a", "b", kind="context"), nodes=[reads("b", "nodes.a.output")]), []),
    # a condition reads
    (flow("ab", edge("b", "c", when={"expr": READS_A})), []),
    (flow(*HANDLED, edge("b", "c", when={"expr": READS_A})), [("/edges/2/when/expr", MISSING)]),
    (flow(*HANDLED, edge("b", "c", when={"expr": f"has(nodes.a.output.x) && {READS_A}"})), []),
    # a diamond: d reads what both sides do, unless one may have gone another way
    (flow("ab", "ac", "bd", "cd", nodes=[reads("d", "nodes.b.output")]), []),
    (flow(edge("a", "b", **IF), "ac", "bd", "cd", nodes=[reads("d", "nodes.b.output")]), [(AT_B, MISSING)]),
    (flow(edge("a", "b", **IF), "ac", "bd", "cd", nodes=[reads("d", "nodes.a.output")]), []),
    (
        flow(
            edge("a", "b", **IF),
            "ac",
            "bd",
            "cd",
            nodes=[{**reads("d", "nodes.b.output"), "join": "all_fired"}],
        ),
        [],
    ),
    (
        flow("ab", "ac", "bd", "cd", edge("b", "e", on="failure"), nodes=[reads("d", "nodes.b.output")]),
        [(AT_B, MISSING)],
    ),
    (flow("ab", "ac", "bd", "cd", nodes=[{**reads("d", "nodes.a.output"), "join": "any"}]), []),
    # decisions
    (flow(edge("d", "a", **IF), edge("d", "b", default=True), nodes=[decision("d")]), []),
    (flow(edge("d", "a", **IF), edge("d", "b", **IF), nodes=[decision("d")]), [("/nodes/0", "no-default")]),
    # the previous iteration
    (
        flow("ab", edge("b", "b", **IF), nodes=[reads("b", "nodes.b.previous.output")]),
        [(AT_B, MISSING)],
    ),
    # exits beside back edges
    (flow("ab", edge("b", "b", **IF), "bc"), [("/edges/2", "exit-beside-back-edge")]),
    (flow("ab", edge("b", "b", **IF), edge("b", "c", **IF)), []),
    (flow("ab", edge("b", "b", on="failure"), "bc"), []),
    (flow("ab", "bb", edge("b", "c", on="failure")), []),
    (flow("ad", edge("d", "d", **IF), edge("d", "c", default=True), nodes=[decision("d")]), []),
    # outputs
    (flow("ab", outputs={"x": {"$from": "nodes.b.output"}}), []),
    (flow(edge("a", "b", **IF), outputs={"x": {"$from": "nodes.b.output"}}), [("/outputs/x", MISSING)]),
    # inputs
    (flow(nodes=[reads("b", "inputs.t")], inputs={"properties": {"t": {}}, "required": ["t"]}), []),
    (flow(nodes=[reads("b", "inputs.t")], inputs={"properties": {"t": {}}}), [(AT_B, MISSING)]),
    (flow(nodes=[reads("b", "inputs.t", default=0)], inputs={"properties": {"t": {}}}), []),
    (flow(nodes=[reads("b", "inputs.t")]), []),
    (
        flow(
            nodes=[reads("b", "inputs.t.u")], inputs={"properties": {"t": {"anyOf": [{}]}}, "required": ["t"]}
        ),
        [],
    ),
]


@pytest.mark.parametrize(("document", "expected"), CASES)
def test_what_may_go_wrong_is_warned_of_and_nothing_else(document, expected):
    checked = check_spec(document)

    assert checked.problems == ()
    assert [(warning.pointer, warning.code) for warning in checked.warnings] == expected
    assert checked.spec is not None


def test_an_input_that_a_tool_does_not_know_and_a_lone_compensation_are_warned_of():
    document = with_change(
        ("/nodes/0/inputs/pages", 3),
        ("/tools/search/input_schema/additionalProperties", True),
        ("/nodes/6/effect", False),
    )

    assert [(warning.pointer, warning.code) for warning in check_spec(document).warnings] == [
        ("/nodes/0/inputs/pages", "undeclared-input"),
        ("/nodes/6/compensate", "nothing-to-compensate"),
    ]


WORKERS_TOOL = ("/agents/writer/tools", ["search", "local"])


def test_a_tool_that_the_server_cannot_call_for_an_agent_is_warned_of():
    checked = check_spec(with_change(WORKERS_TOOL))

    assert checked.problems == ()
    assert [(warning.pointer, warning.code) for warning in checked.warnings] == [
        ("/agents/writer/tools/1", "tool-not-served")
    ]
    assert "draft" in checked.warnings[0].detail


def test_a_tool_of_a_task_that_a_worker_does_is_not_warned_of():
    checked = check_spec(with_change(WORKERS_TOOL, ("/nodes/1/parameters/handler", "drafting")))

    assert (checked.problems, checked.warnings) == ((), ())


def test_native_mode_takes_what_the_engine_would_not_run():
    document = {
        **flow(
            "ab",
            "ba",
            edge("a", "b", kind="context"),
            nodes=[function("a", ref={"ref": "m:f"}, dynamic=True)],
        ),
        "process": "hierarchical",
        "runtime": {"mode": "native", "entrypoint": "crew.py:crew"},
    }
    document["edges"][0]["when"] = {"ref": "m:route", "source": "return 'b'"}

    checked = check_spec(document)

    assert (checked.problems, checked.warnings) == ((), ())
