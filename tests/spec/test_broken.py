"""Broken specs: each with the place and the code of what is wrong, and nothing else."""

import pytest

from omium.errors import SpecInvalid
from omium.spec.check import check_spec, load_spec
from tests.spec.whole import GONE, edge, flow, function, whole, with_change

FIND, DRAFT, _, EACH, ASK, PAUSE, PUBLISH, AFTER = (f"/nodes/{at}" for at in range(8))
HERE = "at the place of the change"
HTTP = "/tools/search/http"
BODY = f"{EACH}/body"
SECRET = "Bearer sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789"


def map_of(body, **members):
    return {"id": "m", "type": "map", "parameters": {"items": [1]}, "body": body, **members}


def maps(depth):
    node = function("x")
    for _ in range(depth):
        node = map_of({"nodes": [node]})
    return flow(nodes=[node])


def wait(**parameters):
    return flow(nodes=[{"id": "w", "type": "wait", "parameters": parameters}])


def reads(reference, **members):
    """Return a -> b, where b reads `reference`."""
    return flow("ab", nodes=[function("b", inputs={"x": {"$from": reference}}, **members)])


def in_map(*edges):
    return flow(nodes=[map_of({"nodes": [function("a"), function("b")], "edges": list(edges)})])


DECISION = {"id": "d", "type": "decision"}

# What is changed in the whole spec, where the problem is, and its code. One change, one problem.
CHANGED = [
    # fields
    ("/foo", 1, HERE, "unknown-field"),
    (f"{DRAFT}/descriptoin", "", HERE, "unknown-field"),
    (f"{DRAFT}/retry/max", 3, HERE, "unknown-field"),
    (f"{DRAFT}/parameters/temperature", 3, HERE, "unknown-field"),
    ("/agents/writer/llm/url", "http://x", HERE, "unknown-field"),
    (f"{HTTP}/verify", False, HERE, "unknown-field"),
    ("/edges/0/condition", "", HERE, "unknown-field"),
    (f"{BODY}/name", "", HERE, "unknown-field"),
    (f"{BODY}/nodes/0/agnet", "", HERE, "unknown-field"),
    ("/runtime/engine", "", HERE, "unknown-field"),
    ("/a~1b~0c", 1, HERE, "unknown-field"),
    ("/xyz", 1, HERE, "unknown-field"),
    ("/omium", GONE, HERE, "missing-field"),
    ("/name", GONE, HERE, "missing-field"),
    ("/nodes", GONE, HERE, "missing-field"),
    (f"{FIND}/type", GONE, HERE, "missing-field"),
    ("/edges/0/to", GONE, HERE, "missing-field"),
    ("/omium", "1", HERE, "unknown-format"),
    (f"{ASK}/type", "aproval", HERE, "unknown-node-type"),
    ("/name", 3, HERE, "wrong-type"),
    ("/name", "", HERE, "wrong-value"),
    ("/nodes", {}, HERE, "wrong-type"),
    ("/edges/0", "a->b", HERE, "wrong-type"),
    (f"{DRAFT}/timeout_s", "120", HERE, "wrong-type"),
    (f"{DRAFT}/timeout_s", 0, HERE, "wrong-value"),
    (f"{DRAFT}/retry/max_attempts", 2.5, HERE, "wrong-type"),
    (f"{DRAFT}/retry/jitter", 1, HERE, "wrong-type"),
    (f"{DRAFT}/retry/retry_on/1", 99, HERE, "wrong-value"),
    (f"{DRAFT}/retry/retry_on/1", {}, HERE, "wrong-value"),
    (f"{DRAFT}/concurrency/limit", 0, HERE, "wrong-value"),
    (f"{DRAFT}/join", "some", HERE, "wrong-value"),
    (
        f"{EACH}/parameters/on_item_failure",
        "stop",
        f"{EACH}/parameters/on_item_failure",
        "wrong-value",
    ),
    (f"{PUBLISH}/effect", "once", HERE, "wrong-value"),
    ("/breakers/provider:local/failure_rate", 2, HERE, "wrong-value"),
    ("/loops/draft/max_iterations", 0, HERE, "wrong-value"),
    ("/runtime/mode", "fast", HERE, "wrong-value"),
    (f"{FIND}/id", "find it", HERE, "bad-name"),
    ("/agents/a b", {}, HERE, "bad-name"),
    (f"{ASK}/name", "x" * 301, HERE, "limit-exceeded"),
    # agents, tools, parameters
    (f"{DRAFT}/agent", "writter", HERE, "unknown-agent"),
    (f"{DRAFT}/agent", GONE, HERE, "missing-field"),
    ("/agents/writer/llm", GONE, HERE, "missing-field"),
    ("/agents/writer/tools/0", "serch", HERE, "unknown-tool"),
    ("/agents/writer/allow_delegation", True, HERE, "native-only"),
    ("/agents/writer/role", "On {topik}", HERE, "unknown-template-name"),
    (f"{FIND}/tool", GONE, HERE, "missing-field"),
    (f"{FIND}/tool", "local2", HERE, "unknown-tool"),
    (f"{DRAFT}/breaker", "provider:lokal", HERE, "unknown-breaker"),
    (
        f"{DRAFT}/parameters/description",
        "On {topik}",
        f"{DRAFT}/parameters/description",
        "unknown-template-name",
    ),
    (f"{DRAFT}/parameters/description", GONE, HERE, "missing-field"),
    (f"{DRAFT}/parameters/human_input", True, HERE, "native-only"),
    (f"{ASK}/parameters/message", "On {x}", HERE, "unknown-template-name"),
    (f"{ASK}/parameters/default", "yes", HERE, "wrong-value"),
    (f"{PUBLISH}/parameters/handler", GONE, HERE, "missing-field"),
    (f"{AFTER}/workflow", GONE, HERE, "missing-field"),
    (f"{AFTER}/workflow", "tell@latest", HERE, "wrong-value"),
    (f"{ASK}/workflow", "tell", HERE, "misplaced-field"),
    (f"{PAUSE}/agent", "writer", HERE, "misplaced-field"),
    (f"{PAUSE}/effect", True, HERE, "misplaced-field"),
    (f"{EACH}/parameters/items", 3, HERE, "type-mismatch"),
    (f"{EACH}/parameters/items", [0] * 10_001, HERE, "limit-exceeded"),
    (f"{BODY}/nodes/0/parameters/llm", GONE, HERE, "missing-field"),
    (
        f"{BODY}/nodes/0/parameters/prompt",
        "{txt}",
        f"{BODY}/nodes/0/parameters/prompt",
        "unknown-template-name",
    ),
    (f"{BODY}/nodes/0/parameters/prompt", GONE, f"{BODY}/nodes/0/parameters", "wrong-value"),
    ("/tools/local/handler", GONE, "/tools/local", "wrong-value"),
    ("/tools/local/ref", {"ref": "m:f"}, HERE, "native-only"),
    (f"{HTTP}/url", "ftp://example.com", HERE, "wrong-value"),
    (f"{HTTP}/url", "https://{query}/x", HERE, "wrong-value"),
    (f"{HTTP}/url", "https://example.com/{qery}", HERE, "unknown-template-name"),
    (f"{HTTP}/headers/Accept", 3, HERE, "wrong-type"),
    ("/process", "sequential", HERE, "native-only"),
    ("/state", {}, HERE, "native-only"),
    (f"{PUBLISH}/ref", {"ref": "m:f"}, HERE, "native-only"),
    (f"{PUBLISH}/dynamic", True, HERE, "native-only"),
    # schemas
    ("/inputs/properties/topic/type", "text", HERE, "bad-schema"),
    (f"{DRAFT}/outputs", {"$ref": "http://127.0.0.1/x"}, HERE, "bad-schema"),
    (
        f"{DRAFT}/checkpoint/payload",
        {"required": 1},
        f"{DRAFT}/checkpoint/payload/required",
        "bad-schema",
    ),
    ("/tools/local/output_schema", {"type": 1}, "/tools/local/output_schema/type", "bad-schema"),
    # secrets
    (f"{HTTP}/headers/Authorization", SECRET, HERE, "secret-found"),
    (f"{HTTP}/url", "https://me:pa55@example.com/", HERE, "secret-found"),
    ("/agents/writer/backstory", f"Use {SECRET[7:]}", HERE, "secret-found"),
    ("/x-key", {"api_key": "9f8e7d6c5b4a39281706f5e4d3c2b1a0"}, "/x-key/api_key", "secret-found"),
    (f"{FIND}/inputs/query", {"$secret": "search"}, HERE, "misplaced-secret"),
    (f"{HTTP}/query", {"key": {"$secret": "search"}}, f"{HTTP}/query/key", "misplaced-secret"),
    (f"{HTTP}/headers/X-A", {"$secret": ""}, HERE, "bad-secret"),
    # edges
    ("/edges/0/from", "fnd", HERE, "unknown-node"),
    ("/edges/7/to", "afer", HERE, "unknown-node"),
    ("/edges/2/when", {}, HERE, "bad-condition"),
    ("/edges/2/when", {"ref": "m:f"}, "/edges/2/when/ref", "native-only"),
    ("/edges/2/when/expr", "output.x >", HERE, "bad-expression"),
    ("/edges/2/when/expr", "outputs.x > 1", HERE, "bad-expression"),
    ("/edges/2/when/expr", "error.code == 'x'", HERE, "bad-expression"),
    ("/edges/2/when/expr", "nodes.drat.output.score < 1", HERE, "unknown-node"),
    ("/edges/2/when/expr", "nodes.publish.output.score < 1", HERE, "unreadable-reference"),
    ("/edges/2/when/expr", "inputs.topik == 'a'", HERE, "unknown-input"),
    ("/edges/2/when", GONE, "/edges/2", "bad-decision"),
    ("/edges/3/when", {"expr": "true"}, "/edges/3", "bad-decision"),
    ("/edges/5/default", True, HERE, "misplaced-field"),
    ("/edges/-", {"from": "find", "to": "draft"}, "/edges/9", "duplicate-edge"),
    ("/loops/drft", {}, HERE, "unknown-loop"),
    # what is read
    ("/outputs/report/$from", "nodes.publsh.output", "/outputs/report", "unknown-node"),
    ("/outputs/report/$from", "nodes.publish.result", "/outputs/report", "unknown-reference"),
    ("/outputs/report/$from", "node.publish.output", "/outputs/report", "unknown-reference"),
    ("/outputs/report/$from", "nodes..output", "/outputs/report", "bad-reference"),
    ("/outputs/report/$from", 3, "/outputs/report", "bad-reference"),
    ("/outputs/report/if_missing", 3, "/outputs/report", "bad-reference"),
    (f"{FIND}/inputs/query/$from", "inputs.topik", f"{FIND}/inputs/query", "unknown-input"),
    (f"{FIND}/inputs/query/$from", "inputs.count", f"{FIND}/inputs/query", "type-mismatch"),
    (f"{FIND}/inputs/query/$from", "inputs.topic.name", f"{FIND}/inputs/query", "unknown-input"),
    (f"{FIND}/inputs/query/$from", "item", f"{FIND}/inputs/query", "unknown-reference"),
    (
        f"{FIND}/inputs/query/$from",
        "trigger.output",
        f"{FIND}/inputs/query",
        "unreadable-reference",
    ),
    (f"{FIND}/inputs/query/default", 3, HERE, "type-mismatch"),
    (f"{FIND}/inputs/limit", "3", HERE, "type-mismatch"),
    (f"{FIND}/inputs/query", GONE, f"{FIND}/inputs", "missing-input"),
    (f"{FIND}/inputs/pages", 3, HERE, "undeclared-input"),
    (
        f"{DRAFT}/inputs/hits/$from",
        "nodes.find.output.hit",
        f"{DRAFT}/inputs/hits",
        "unknown-output",
    ),
    (
        f"{DRAFT}/inputs/hits/$from",
        "nodes.find.output.hits.first",
        f"{DRAFT}/inputs/hits",
        "unknown-output",
    ),
    (
        f"{DRAFT}/inputs/hits/$from",
        "nodes.each.output",
        f"{DRAFT}/inputs/hits",
        "unreadable-reference",
    ),
    (
        f"{DRAFT}/inputs/before/$from",
        "nodes.find.previous.output",
        f"{DRAFT}/inputs/before",
        "unreadable-reference",
    ),
    (f"{EACH}/parameters/items/$from", "inputs.topic", f"{EACH}/parameters/items", "type-mismatch"),
    (f"{EACH}/inputs/topic/$from", "inputs.count", f"{EACH}/inputs/topic", "type-mismatch"),
    (
        f"{PAUSE}/parameters/seconds/$from",
        "inputs.topic",
        f"{PAUSE}/parameters/seconds",
        "type-mismatch",
    ),
    (f"{BODY}/outputs/$from", "nodes.find.output", f"{BODY}/outputs", "unknown-node"),
    (f"{BODY}/nodes/0/inputs/text/$from", "inputs.note", f"{BODY}/nodes/0/inputs/text", "unknown-input"),
]

# Documents, the place of each of their problems, and its code.
DOCUMENTS = [
    (None, [("", "wrong-type")]),
    ([], [("", "wrong-type")]),
    (flow("ab", "ba"), [("/nodes", "no-start")]),
    (
        flow("ab", "cd", "dc", nodes=[function("a", start=True)]),
        [("/nodes/2", "unreachable-node"), ("/nodes/3", "unreachable-node")],
    ),
    (flow("ab", "ac", "bc", "cb"), [("/nodes/2", "irreducible-cycle")]),
    (
        flow("ab", "bc", "cb", nodes=[function("c", start=True), function("a", start=True)]),
        [("/nodes/0", "irreducible-cycle")],
    ),
    (flow("ab", "bc", "cd", "dc", "db", edge("a", "d")), [("/nodes/3", "irreducible-cycle")]),
    (flow("ab", "bc", edge("c", "b", kind="context")), [("/edges/2", "context-cycle")]),
    (flow("ab", edge("b", "b", kind="context")), [("/edges/1", "context-cycle")]),
    (
        flow("ab", "bc", "cb", "ad", "de", edge("e", "c", kind="context"), edge("b", "d", kind="context")),
        [("/edges/6", "context-cycle")],
    ),
    (flow("ab", nodes=[function("a"), function("a")]), [("/nodes/1/id", "duplicate-id")]),
    (flow(edge("a", "b", id="e"), edge("a", "c", id="e")), [("/edges/1", "duplicate-id")]),
    (flow(nodes=[DECISION]), [("/nodes/0", "bad-decision")]),
    (
        flow(
            edge("d", "a", default=True),
            edge("d", "b", default=True),
            nodes=[{"id": "d", "type": "decision"}],
        ),
        [("/edges/1", "bad-decision")],
    ),
    (wait(), [("/nodes/0/parameters", "wrong-value")]),
    (wait(seconds=1, signal="s"), [("/nodes/0/parameters", "wrong-value")]),
    (wait(seconds=True), [("/nodes/0/parameters/seconds", "wrong-value")]),
    (wait(until="tomorrow"), [("/nodes/0/parameters/until", "wrong-value")]),
    (wait(seconds=1, timeout_s=5), [("/nodes/0/parameters/timeout_s", "misplaced-field")]),
    (reads("nodes.a.output", join="any"), []),
    (reads("trigger.input", join="any"), [("/nodes/0/inputs/x", "unknown-reference")]),
    (reads("nodes.b.output"), [("/nodes/0/inputs/x", "unreadable-reference")]),
    (reads("nodes.a"), [("/nodes/0/inputs/x", "unknown-reference")]),
    (reads("nodes"), [("/nodes/0/inputs/x", "unknown-node")]),
    (reads(["nodes", "a", ""]), [("/nodes/0/inputs/x", "bad-reference")]),
    (maps(10), [("/nodes/0" + "/body/nodes/0" * 8 + "/body", "limit-exceeded")]),
    (flow(nodes=[function(f"n{n}") for n in range(2_001)]), [("/nodes", "limit-exceeded")]),
    (
        flow(nodes=[map_of({"nodes": [function(f"n{n}") for n in range(2_000)]})]),
        [("/nodes", "limit-exceeded")],
    ),
    (
        flow(nodes=[map_of({"nodes": [function("a"), function("b")], "edges": [edge("a", "c")]})]),
        [("/nodes/0/body/edges/0/to", "unknown-node")],
    ),
    (
        flow(
            nodes=[
                map_of({"nodes": [function("a"), function("b")], "edges": [edge("a", "b"), edge("b", "a")]})
            ]
        ),
        [("/nodes/0/body/nodes", "no-start")],
    ),
]


@pytest.mark.parametrize(("at", "value", "pointer", "code"), CHANGED)
def test_one_change_to_a_whole_spec_is_told_with_its_place_and_code(at, value, pointer, code):
    checked = check_spec(with_change((at, value)))

    expected = at if pointer is HERE else pointer
    assert [(problem.pointer, problem.code) for problem in checked.problems] == [(expected, code)]
    assert checked.spec is None
    assert checked.problems[0].detail.endswith(".")


@pytest.mark.parametrize(("document", "expected"), DOCUMENTS)
def test_a_broken_document_is_told_with_places_and_codes(document, expected):
    assert [(problem.pointer, problem.code) for problem in check_spec(document).problems] == expected


def test_the_whole_spec_has_neither_problems_nor_warnings():
    checked = check_spec(whole())

    assert (checked.problems, checked.warnings) == ((), ())
    assert load_spec(whole()) == checked.spec


def test_mistakes_of_every_kind_are_told_at_once_in_the_order_of_the_document():
    document = with_change(
        ("/edges/0/from", "fnd"),
        (f"{DRAFT}/timeout_s", "120"),
        (f"{DRAFT}/agent", "writter"),
        (f"{FIND}/inputs/query/$from", "inputs.topik"),
        (f"{HTTP}/headers/Authorization", SECRET),
        ("/foo", 1),
    )

    told = [(problem.pointer, problem.code) for problem in check_spec(document).problems]

    assert told == [
        ("/edges/0/from", "unknown-node"),
        ("/foo", "unknown-field"),
        (f"{FIND}/inputs/query", "unknown-input"),
        (f"{DRAFT}/agent", "unknown-agent"),
        (f"{DRAFT}/timeout_s", "wrong-type"),
        (f"{HTTP}/headers/Authorization", "secret-found"),
    ]


@pytest.mark.parametrize(
    ("at", "value", "suggestion"),
    [
        (f"{DRAFT}/agent", "writter", "Did you mean writer?"),
        (f"{ASK}/type", "aproval", "Did you mean approval?"),
        (f"{DRAFT}/descriptoin", "", "Did you mean description?"),
        ("/edges/0/from", "fnd", "Did you mean find?"),
        (f"{FIND}/inputs/query/$from", "inputs.topik", "Did you mean topic?"),
        ("/loops/drft", {}, "Did you mean draft?"),
    ],
)
def test_what_was_probably_meant_is_suggested(at, value, suggestion):
    assert check_spec(with_change((at, value))).problems[0].suggestion == suggestion


def test_a_type_that_is_spelt_wrong_hides_no_other_mistake():
    document = with_change(
        (f"{ASK}/type", "aproval"),
        ("/edges/0/from", "fnd"),
        (f"{DRAFT}/agent", "writter"),
    )

    assert [(problem.pointer, problem.code) for problem in check_spec(document).problems] == [
        ("/edges/0/from", "unknown-node"),
        (f"{DRAFT}/agent", "unknown-agent"),
        (f"{ASK}/type", "unknown-node-type"),
    ]


def test_loading_a_broken_spec_raises_every_problem():
    with pytest.raises(SpecInvalid) as refused:
        load_spec(with_change(("/foo", 1), ("/bar", 1)))

    assert [error["pointer"] for error in refused.value.members["errors"]] == ["/bar", "/foo"]
    assert refused.value.detail == "A spec has no field 'bar'. And 1 more."


def test_a_document_with_thousands_of_mistakes_is_told_with_two_hundred():
    names = [f"node{number}" for number in range(2_000)]
    wrong = [edge(name, name.replace("node", "nood")) for name in names]

    problems = check_spec(flow(nodes=[function(name) for name in names]) | {"edges": wrong}).problems

    assert len(problems) == 200
    assert problems[0].suggestion == "Did you mean node0?"
