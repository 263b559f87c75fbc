"""Forms of workflows without a screen: inputs from a schema, a node's policies, places in a JSON text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.spec.check import check_spec
from omium.tui.input_form import OTHERS, InputForm
from omium.tui.json_places import find_place
from omium.tui.node_form import NodeForm, find_node
from omium.tui.spec_text import skeleton
from tests.spec.whole import whole, with_change

PATHS = ["find", "draft", "choose", "each", "each/sum", "ask", "pause", "publish", "after"]


def typed(form):
    """Return what a form holds when nothing is typed into it."""
    return {field.name: field.value for field in form.fields()}


# ------------------------------------------------------------------------------------------ nodes
@pytest.mark.parametrize("path", PATHS)
def test_a_form_that_nobody_touched_changes_nothing(path):
    form = NodeForm(whole(), path)
    assert form.apply(typed(form)) == whole()


@pytest.mark.parametrize("path", PATHS)
def test_policies_of_any_node_are_set_and_taken_away_again(path):
    form = NodeForm(whole(), path)
    values = typed(form) | {
        "timeout_s": "1.5", "retry-max_attempts": "7", "retry-initial_delay_s": "0.5",
        "retry-retry_on": "429, 5xx",
        "concurrency-key": "shared", "concurrency-limit": "2", "breaker": "b", "checkpoint": "never",
        "checkpoint-payload": '{"type": "string"}',
    }  # fmt: skip
    document = form.apply(values)
    node = find_node(document, path)
    assert node["timeout_s"] == 1.5
    assert (node["retry"]["max_attempts"], node["retry"]["retry_on"]) == (7, [429, "5xx"])
    assert node["concurrency"] == {"key": "shared", "limit": 2}
    assert node["checkpoint"] == {"enabled": False, "payload": {"type": "string"}}
    again = NodeForm(document, path)
    emptied = {name: "" for name in typed(again) if not name.startswith(("prompt", "agent"))}
    bare = find_node(again.apply(typed(again) | emptied | {"checkpoint": "by default"}), path)
    assert not {"timeout_s", "retry", "concurrency", "breaker", "checkpoint"} & bare.keys()


def test_prompts_and_the_agents_words_are_changed_where_they_stand():
    form = NodeForm(whole(), "draft")
    changed = form.apply(typed(form) | {"prompt-1": "A poem", "agent-role": "Poet", "agent-goal": "Rhyme"})
    assert find_node(changed, "draft")["parameters"]["expected_output"] == "A poem"
    assert changed["agents"]["writer"]["role"] == "Poet"
    assert changed["agents"]["writer"]["llm"] == whole()["agents"]["writer"]["llm"]
    inner = NodeForm(whole(), "each/sum")
    assert "Sum up {text}" in typed(inner).values()


def test_a_node_that_is_not_there_has_no_form():
    with pytest.raises(KeyError):
        NodeForm(whole(), "each/none")


# ------------------------------------------------------------------------------------------ inputs
def test_each_type_of_input_is_read_as_what_it_is():
    form = InputForm(
        {
            "properties": {
                "text": {"type": "string"}, "number": {"type": "number"}, "flag": {"type": "boolean"},
                "choice": {"enum": [1, "one", None]}, "either": {"type": ["string", "integer"]},
                "deep": {"type": "object"}, "any": {},
            },
            "additionalProperties": False,
        }
    )  # fmt: skip
    labels = {field.label.partition(" ")[0]: field.name for field in form.fields()}
    values = {
        labels["text"]: "5", labels["number"]: "2.5", labels["flag"]: "false", labels["choice"]: "null",
        labels["either"]: "7 days", labels["deep"]: '{"a": [1]}', labels["any"]: '"x"',
    }  # fmt: skip
    assert form.read(values) == {
        "text": "5", "number": 2.5, "flag": False, "choice": None, "either": "7 days", "deep": {"a": [1]},
        "any": "x",
    }  # fmt: skip
    assert form.read({labels["text"]: '""'}) == {"text": ""}


def test_what_is_left_empty_is_left_out_and_defaults_stand_in_their_fields():
    form = InputForm({"properties": {"a": {"type": "integer", "default": 3}, "b": {"type": "string"}}})
    assert form.read(typed(form)) == {"a": 3}
    assert form.read(typed(form) | {OTHERS: '{"c": [true]}'}) == {"a": 3, "c": [True]}


@pytest.mark.parametrize("schema", [None, {}, {"type": "object"}, {"properties": "odd"}, True])
def test_without_a_schema_all_inputs_are_one_json_object(schema):
    form = InputForm(schema)
    (field,) = form.fields()
    assert form.read({field.name: '{"a": 1}'}) == {"a": 1}
    assert form.read({field.name: ""}) == {}
    assert field.check("[1]") == "This is no JSON object."


def test_what_may_be_left_out_in_the_way_of_pydantic_is_typed_plainly():
    form = InputForm({"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}})
    assert form.fields()[0].kind == "text"
    assert form.read({"inputs-0": "so, plain"}) == {"a": "so, plain"}
    assert form.read({}) == {}


def test_everything_that_is_wrong_is_named():
    form = InputForm({"properties": {"a": {"type": "integer"}, "b": {}}, "required": ["b"]})
    with pytest.raises(ValueError, match="b"):
        form.read({"inputs-1": "1"})
    number = next(field for field in form.fields() if field.label.startswith("a"))
    assert number.check("two") == "a: this is no JSON value of type integer."
    assert number.check("2.5") is not None
    assert number.check("2") is None


# ------------------------------------------------------------------------------------------ places
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def walk(value, pointer=""):
    yield pointer, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from walk(inner, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")


@given(json_values, st.sampled_from([None, 1]))
def test_every_pointer_leads_to_its_place(value, indent):
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    lines = text.split("\n")
    for pointer, inner in walk(value):
        line, column = find_place(text, pointer)
        rest = "\n".join([lines[line][column:], *lines[line + 1 :]])
        found, end = json.JSONDecoder().raw_decode(rest)
        follows = rest[end:].lstrip().startswith(":")
        assert found == (
            pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~") if follows else inner
        )


def test_what_is_not_there_leads_to_what_would_hold_it_even_in_broken_json():
    text = json.dumps(with_change(("/name", "x")), indent=2)
    line, _ = find_place(text, "/nodes/1/retry/nothing/here")
    assert '"retry"' in text.splitlines()[line]
    assert find_place('{\n "a": [1,\n  {"b": "never ends', "/a/1/b") == (2, 3)
    assert find_place("", "/a") == (0, 0)
    assert find_place("}}]]::,,", "/a/b") == (0, 0)


def test_what_an_empty_workflow_begins_with_is_valid():
    assert check_spec(json.loads(skeleton("x"))).problems == ()
