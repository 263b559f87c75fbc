"""What a stored spec may say otherwise than the object that a worker serves, and what it may not."""

import pytest

from omium.adapters.native_edits import edit_policy, refuse_other_code, refuse_unfollowed
from omium.adapters.recorded import StepPolicy
from omium.errors import ConfigError
from omium.spec.check import load_spec


def document(**changes):
    return {
        "omium": "0",
        "name": "tea",
        "agents": {"writer": {"role": "Writer"}},
        "nodes": [
            {"id": "plan", "type": "function", "ref": {"ref": "tea:plan", "source": "def plan(): ..."}},
            {
                "id": "write",
                "type": "agent_task",
                "agent": "writer",
                "parameters": {"description": "Write."},
            },
        ],
        "edges": [{"from": "plan", "to": "write"}],
        "runtime": {"mode": "native", "entrypoint": "tea.py:crew"},
        **changes,
    }


def with_node(number, **fields):
    said = document()
    said["nodes"][number] |= fields
    return load_spec(said)


EXPORTED = load_spec(document())


@pytest.mark.parametrize(
    "fields",
    [
        {"retry": {"max_attempts": 5}},
        {"timeout_s": 3},
        {"effect": True},
        {"checkpoint": {"enabled": False}},
        {"checkpoint": {"payload": {"type": "string"}}},
        {"name": "Write it", "description": "for people"},
        {"x-colour": "green"},
        {"ref": {"ref": "tea:write", "source": "another text of the same code"}},
    ],
    ids=str,
)
def test_policies_and_words_are_not_looked_for_in_the_copy(fields):
    if "ref" in fields:
        exported = with_node(1, ref={"ref": "tea:write", "source": "the text that was exported"})
    else:
        exported = EXPORTED
    assert refuse_other_code(exported, with_node(1, **fields), "tea version 2") is False


def test_a_prompt_is_looked_for_in_the_copy():
    edited = with_node(1, parameters={"description": "Write better."})

    assert refuse_other_code(EXPORTED, edited, "tea version 2") is True
    refuse_unfollowed(edited, edited, "tea version 2")
    with pytest.raises(
        ConfigError, match="the node write cannot be given another parameters/description by a spec"
    ):
        refuse_unfollowed(EXPORTED, edited, "tea version 2")


NODE = {"id": "check", "type": "function"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"nodes": [*document()["nodes"], NODE]}, "the node check is not in the code that is served here"),
        ({"nodes": document()["nodes"][:1], "edges": []}, "the node write is in the code that is served"),
        ({"edges": [{"from": "write", "to": "plan"}]}, "the edge write->plan is not in the code"),
        ({"edges": [{"from": "plan", "to": "write", "on": "always"}]}, "has another on than the code"),
        ({"agents": {"writer": {}, "editor": {}}}, "the agent editor is not in the code"),
    ],
    ids=str,
)
def test_another_graph_is_refused_with_what_is_different_and_what_to_do(changes, sentence):
    with pytest.raises(ConfigError, match=sentence) as refused:
        refuse_other_code(EXPORTED, load_spec(document(**changes)), "tea version 2")

    assert str(refused.value).startswith("tea version 2 cannot be run: ")
    assert "omium export PATH.py:OBJECT --import" in str(refused.value)


def test_a_node_of_another_type_is_refused():
    with pytest.raises(ConfigError, match="the node plan is of another type"):
        refuse_other_code(EXPORTED, with_node(0, type="decision"), "tea version 2")


def test_where_a_framework_takes_no_policies_they_are_refused_too():
    edited = with_node(1, retry={"max_attempts": 5})

    refuse_unfollowed(EXPORTED, edited, "tea version 2")
    with pytest.raises(ConfigError, match="the node write cannot be given another retry"):
        refuse_unfollowed(EXPORTED, edited, "tea version 2", policies=True)


def test_the_document_wins_field_by_field_over_what_instrument_was_given():
    given = StepPolicy(breaker="models", record=False)

    assert edit_policy(given, EXPORTED.nodes[1]) == given
    edited = with_node(1, checkpoint={"payload": {"type": "string"}}).nodes[1]
    assert edit_policy(given, edited) == StepPolicy(breaker="models", output_schema={"type": "string"})
    unjudged = with_node(1, checkpoint={"enabled": False, "payload": {"type": "string"}}).nodes[1]
    assert edit_policy(StepPolicy(output_schema={}), unjudged) == StepPolicy(record=False)


def test_only_the_first_differences_are_told():
    more = [{"id": f"n{number}", "type": "function"} for number in range(9)]

    with pytest.raises(ConfigError, match=r"; and 4 more\. Change the code"):
        refuse_other_code(EXPORTED, load_spec(document(nodes=[*document()["nodes"], *more])), "tea version 2")
