"""What differs between two specs, and what does not."""

import copy

from omium.spec.canonical import canonical_bytes, canonical_form, node_digest, spec_digest
from omium.spec.changes import diff_specs
from omium.spec.check import load_spec

DOCUMENT = {
    "omium": "0",
    "name": "research",
    "agents": {
        "writer": {"role": "Writer", "llm": {"provider": "local"}, "tools": ["search"]},
        "idle": {"role": "None"},
    },
    "tools": {"search": {"description": "Search", "handler": "search"}},
    "nodes": [
        {"id": "write", "type": "agent_task", "agent": "writer", "parameters": {"description": "Write."}},
        {
            "id": "each",
            "type": "map",
            "parameters": {"items": [1, 2]},
            "body": {"nodes": [{"id": "sum", "type": "function", "parameters": {"handler": "sum"}}]},
        },
        {"id": "choose", "type": "decision"},
        {"id": "end", "type": "function", "parameters": {"handler": "end"}},
    ],
    "edges": [
        {"from": "write", "to": "choose"},
        {"from": "choose", "to": "each", "when": {"expr": "inputs.many"}},
        {"from": "choose", "to": "end", "default": True},
    ],
}


def edited(change):
    document = copy.deepcopy(DOCUMENT)
    change(document)
    return load_spec(document)


def changes_of(change):
    return [(each.kind, each.what, each.id) for each in diff_specs(load_spec(DOCUMENT), edited(change))]


def test_order_and_spelled_out_defaults_change_nothing():
    def reorder(document):
        document["nodes"].reverse()
        document["edges"] = [document["edges"][1], document["edges"][2], document["edges"][0]]
        document["nodes"][0]["join"] = "all"
        document["edges"][0]["on"] = "success"
        document["runtime"] = {"mode": "engine"}

    assert changes_of(reorder) == []
    assert spec_digest(edited(reorder)) == spec_digest(load_spec(DOCUMENT))


def test_the_order_of_a_decisions_edges_is_a_change_of_the_document():
    def reorder(document):
        document["edges"][1], document["edges"][2] = document["edges"][2], document["edges"][1]

    assert spec_digest(edited(reorder)) != spec_digest(load_spec(DOCUMENT))


def test_the_canonical_form_read_again_is_itself():
    spec = load_spec(DOCUMENT)

    again = load_spec(canonical_form(spec))

    assert canonical_bytes(again) == canonical_bytes(spec)
    assert diff_specs(spec, again) == []


def test_each_thing_that_came_went_or_changed_is_told_once():
    def change(document):
        document["nodes"][3]["id"] = "finish"
        document["edges"][2]["to"] = "finish"
        document["nodes"][1]["body"]["nodes"][0]["timeout_s"] = 5
        document["agents"]["writer"]["goal"] = "Please"
        document["description"] = "New"

    assert changes_of(change) == [
        ("changed", "spec", ""),
        ("removed", "node", "end"),
        ("removed", "edge", "choose->end"),
        ("changed", "agent", "writer"),
        ("added", "node", "finish"),
        ("added", "edge", "choose->finish"),
        ("changed", "node", "each/sum"),
    ]


def test_a_changed_prompt_is_told_line_by_line():
    def change(document):
        document["nodes"][0]["parameters"]["description"] = "Write.\nBriefly."

    (changed,) = diff_specs(load_spec(DOCUMENT), edited(change))

    (field,) = changed.fields
    assert (field.pointer, field.before, field.after) == (
        "/parameters/description",
        "Write.",
        "Write.\nBriefly.",
    )
    assert field.text_diff == ("@@ -1 +1,2 @@", " Write.", "+Briefly.")


def test_texts_whose_lines_would_take_minutes_to_compare_are_told_whole():
    def change(document):
        document["nodes"][0]["parameters"]["description"] = "\n".join(f"{at}\nv{at}" for at in range(10_000))
        document["tools"]["search"]["description"] = "Search\nwell"

    former = edited(
        lambda document: document["nodes"][0]["parameters"].update(
            description="\n".join(f"{at}\nu{at}" for at in range(10_000))
        )
    )
    node, tool = diff_specs(former, edited(change))
    assert node.fields[0].text_diff == ()
    assert node.fields[0].after.endswith("v9999")
    assert "+well" in tool.fields[0].text_diff


def test_true_is_not_one():
    def change(document):
        document["nodes"][1]["parameters"]["items"] = [True, 2]

    assert changes_of(change) == [("changed", "node", "each")]


def test_a_nodes_digest_follows_its_agent_and_its_tools_and_nothing_else():
    old = load_spec(DOCUMENT)

    def other_model(document):
        document["agents"]["writer"]["llm"]["model"] = "large"

    def other_tool(document):
        document["tools"]["search"]["description"] = "Find"

    def other_agent(document):
        document["agents"]["idle"]["role"] = "Nobody"
        document["nodes"][0]["name"] = "Shown to people"

    assert node_digest(edited(other_model), "write") != node_digest(old, "write")
    assert node_digest(edited(other_tool), "write") != node_digest(old, "write")
    assert node_digest(edited(other_agent), "write") == node_digest(old, "write")
    assert node_digest(edited(other_model), "each/sum") == node_digest(old, "each/sum")
