"""Workflows over HTTP: saved as versions that never change, found by name, compared, brought back."""

import asyncio
import copy

import pytest

from omium.server.db.tx import Sql
from omium.states import Scope
from tests.web.walk import DIGEST, TOKEN

SPEC = {
    "omium": "0",
    "name": "research",
    "description": "Find facts and write them up",
    "version": "1.0.0",
    "source_framework": "crewai",
    "inputs": {"type": "object", "properties": {"topic": {"type": "string"}}, "required": ["topic"]},
    "nodes": [
        {
            "id": "find",
            "type": "function",
            "parameters": {"handler": "find"},
            "inputs": {"topic": {"$from": "inputs.topic"}},
        },
        {
            "id": "write",
            "type": "function",
            "parameters": {"handler": "write"},
            "inputs": {"facts": {"$from": "nodes.find.output"}},
        },
    ],
    "edges": [{"from": "find", "to": "write"}],
    "outputs": {"report": {"$from": "nodes.write.output"}},
}


def spec(**fields):
    return copy.deepcopy(SPEC) | fields


async def save(client, document=None, **fields):
    return await client.post_keyed("/v1/workflows", {"document": document or spec(), **fields})


async def saved(client, document=None, **fields):
    answer = await save(client, document, **fields)
    assert answer.status_code == 200, answer.text
    client.clock.advance(seconds=1)
    return answer.json()


async def run(client, workflow, *writes):
    body = {"workflow": workflow, "driver": "local", "input_digest": DIGEST, "lease_token": TOKEN}
    answer = await client.post_keyed("/v1/executions", body)
    assert answer.status_code == 200, answer.text
    made = answer.json()["execution"]["id"]
    client.clock.advance(seconds=1)
    if writes:
        group = {"execution_id": made, "epoch": 1, "lease_token": TOKEN, "writes": list(writes)}
        assert (await client.post("/v1/writes", json={"groups": [group]})).status_code == 200
    return made


async def names(client, **query):
    answer = await client.get("/v1/workflows", params=query)
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["items"]]


async def test_a_saved_document_is_version_1_and_comes_back_as_it_was(each_app_client):
    client = each_app_client
    made = await saved(client, note="first")
    assert (made["name"], made["version"], made["saved"], made["warnings"]) == ("research", 1, True, [])

    shown = (await client.get("/v1/workflows/research")).json()
    assert (shown["kind"], shown["version"], shown["label"], shown["mode"]) == ("spec", 1, "1.0.0", "engine")
    assert shown["active"]["document"]["edges"] == [{"from": "find", "to": "write"}]
    assert shown["active"]["note"] == "first"
    assert shown["active"]["author"] == client.key.api_key_id
    assert (await client.get(f"/v1/workflows/{made['id']}")).json()["name"] == "research"


async def test_the_same_document_again_is_no_new_version_in_whatever_order_it_is_written(each_app_client):
    first = await saved(each_app_client)
    reordered = dict(reversed(spec(nodes=SPEC["nodes"][::-1]).items()))
    again = await saved(each_app_client, reordered, note="another note")

    assert (again["version"], again["saved"]) == (1, False)
    assert again["digest"] == first["digest"]


async def test_a_change_is_a_new_version_and_the_old_one_stays(each_app_client):
    client = each_app_client
    await saved(client)
    changed = await saved(client, spec(description="other"), note="shorter")
    assert (changed["version"], changed["saved"]) == (2, True)

    old = (await client.get("/v1/workflows/research/versions/1")).json()
    assert old["document"]["description"] == SPEC["description"]
    listed = (await client.get("/v1/workflows/research/versions")).json()["items"]
    assert [(each["version"], each["note"]) for each in listed] == [(2, "shorter"), (1, "")]
    page = (await client.get("/v1/workflows/research/versions", params={"limit": 1})).json()
    rest = await client.get("/v1/workflows/research/versions", params={"after": page["next"]})
    assert [each["version"] for each in rest.json()["items"]] == [1]


async def test_no_statement_changes_a_version(each_app_client):
    await saved(each_app_client)
    with pytest.raises(Exception, match="never changes"):
        await each_app_client.server.db.write(
            lambda tx: tx.execute(Sql("UPDATE workflow_versions SET note = :note"), note="x")
        )


async def test_every_problem_of_an_invalid_document_is_told_and_nothing_is_saved(app_client):
    document = spec(edges=[{"from": "find", "to": "nowhere"}], nonsense=1)
    answer = await save(app_client, document)
    assert (answer.status_code, answer.json()["code"]) == (422, "spec-invalid")
    pointers = {each["pointer"] for each in answer.json()["errors"]}
    assert pointers >= {"/nonsense"}
    assert all(each["detail"] for each in answer.json()["errors"])
    assert (await app_client.get("/v1/workflows/research")).status_code == 404


async def test_checking_tells_the_same_and_saves_nothing(app_client):
    bad = await app_client.post("/v1/workflows/check", json={"document": spec(nonsense=1)})
    good = await app_client.post("/v1/workflows/check", json={"document": spec()})
    odd = await app_client.post("/v1/workflows/check", json={"document": [1]})

    assert (bad.json()["valid"], bad.json()["name"]) == (False, "research")
    assert [each["pointer"] for each in bad.json()["errors"]] == ["/nonsense"]
    assert (good.json()["valid"], good.json()["errors"], good.json()["active_version"]) == (True, [], None)
    assert (odd.status_code, odd.json()["valid"]) == (200, False)
    assert await names(app_client) == []


def calling(workflow, inputs):
    child = {"id": "go", "type": "subworkflow", "workflow": workflow, "inputs": inputs}
    return {"omium": "0", "name": "caller", "nodes": [child]}


@pytest.mark.parametrize(
    ("target", "inputs", "told"),
    [
        ("research", {"topic": "tea"}, []),
        ("reserch", {"topic": "tea"}, [("/nodes/0/workflow", "unknown-workflow")]),
        ("research@2", {"topic": "tea"}, [("/nodes/0/workflow", "unknown-workflow")]),
        ("research@1", {}, [("/nodes/0/inputs", "missing-input")]),
        ("research", {"topic": 7}, [("/nodes/0/inputs/topic", "type-mismatch")]),
        ("research", {"topic": "tea", "topik": "tea"}, [("/nodes/0/inputs/topik", "undeclared-input")]),
    ],
)
async def test_a_subworkflow_whose_target_does_not_fit_is_warned_of(each_app_client, target, inputs, told):
    client = each_app_client
    await saved(client)
    checked = (await client.post("/v1/workflows/check", json={"document": calling(target, inputs)})).json()
    made = await saved(client, calling(target, inputs))

    assert checked["valid"]
    assert [(each["pointer"], each["code"]) for each in checked["warnings"]] == told
    assert made["warnings"] == checked["warnings"]


async def test_a_subworkflow_inside_of_a_map_is_looked_at_and_another_tenants_workflow_is_none(app_client):
    await saved(app_client)
    inside = {"nodes": calling("research", {})["nodes"], "outputs": {}}
    each = {"id": "each", "type": "map", "parameters": {"items": [1]}, "body": inside}
    document = {"omium": "0", "name": "caller", "nodes": [each]}
    other = await app_client.new_tenant()
    answers = [
        (await client.post("/v1/workflows/check", json={"document": document})).json()
        for client in (app_client, other)
    ]

    assert [[(at["pointer"], at["code"]) for at in answer["warnings"]] for answer in answers] == [
        [("/nodes/0/body/nodes/0/inputs", "missing-input")],
        [("/nodes/0/body/nodes/0/workflow", "unknown-workflow")],
    ]


async def test_of_two_who_edit_one_version_the_second_is_told(each_app_client):
    await saved(each_app_client)
    first = await saved(each_app_client, spec(description="mine"), expected_version=1)
    late = await save(each_app_client, spec(description="yours"), expected_version=1)

    assert first["version"] == 2
    assert (late.status_code, late.json()["code"], late.json()["version"]) == (409, "workflow-changed", 2)


async def test_expecting_none_makes_a_workflow_and_never_changes_one(app_client):
    assert (await saved(app_client, expected_version=0))["version"] == 1
    assert (await saved(app_client, expected_version=0))["saved"] is False  # what is there is what was sent
    late = await save(app_client, spec(description="other"), expected_version=0)
    gone = await save(app_client, spec(name="another"), expected_version=3)
    assert (late.json()["code"], gone.json()["code"]) == ("workflow-changed", "workflow-changed")


async def test_all_who_save_at_once_get_versions_of_their_own(each_app_client):
    answers = await asyncio.gather(*(save(each_app_client, spec(description=str(n))) for n in range(8)))
    assert sorted(answer.json()["version"] for answer in answers) == list(range(1, 9))


async def test_a_save_that_is_sent_twice_is_one_even_if_somebody_saved_in_between(app_client):
    body = {"document": spec()}
    first = await app_client.post_keyed("/v1/workflows", body, key="k1")
    await saved(app_client, spec(description="other"))
    again = await app_client.post_keyed("/v1/workflows", body, key="k1")

    assert again.json() == first.json()
    assert (await app_client.get("/v1/workflows/research")).json()["version"] == 2


async def test_an_old_version_comes_back_under_a_new_number(each_app_client):
    client = each_app_client
    await saved(client)
    await saved(client, spec(description="worse"))
    back = await client.post_keyed("/v1/workflows/research/restore", {"version": 1, "note": "it was better"})

    assert (back.json()["version"], back.json()["saved"]) == (3, True)
    shown = (await client.get("/v1/workflows/research")).json()["active"]
    assert (shown["restored_from"], shown["note"]) == (1, "it was better")
    assert shown["document"]["description"] == SPEC["description"]
    same = await client.post_keyed("/v1/workflows/research/restore", {"version": 3})
    assert same.json()["saved"] is False
    none = await client.post_keyed("/v1/workflows/research/restore", {"version": 9})
    assert none.status_code == 404
    late = await client.post_keyed("/v1/workflows/research/restore", {"version": 2, "expected_version": 2})
    assert late.json()["code"] == "workflow-changed"


async def test_an_archived_workflow_is_not_changed_or_listed_until_it_is_taken_back(each_app_client):
    client = each_app_client
    await saved(client)
    await run(client, "research")
    for _ in range(2):
        archived = await client.post("/v1/workflows/research/archive")
        assert archived.json()["archived"], archived.text
    assert (await save(client, spec(description="x"))).json()["code"] == "workflow-archived"
    assert await names(client) == []  # its executions do not make a code workflow of it
    assert await names(client, archived=True) == ["research"]

    assert (await client.post("/v1/workflows/research/unarchive")).json()["archived"] is False
    assert await names(client) == ["research"]
    assert (await saved(client, spec(description="x")))["version"] == 2


async def test_a_tag_names_a_version_and_is_moved(each_app_client):
    client = each_app_client
    await saved(client)
    await saved(client, spec(description="second"))
    await client.put("/v1/workflows/research/tags/prod", json={"version": 1})
    assert (await client.get("/v1/workflows/research/versions/prod")).json()["version"] == 1
    moved = await client.put("/v1/workflows/research/tags/prod", json={})
    assert (moved.json()["version"], moved.json()["tags"]) == (2, ["prod"])

    assert await names(client, tag="prod") == ["research"]
    assert await names(client, tag="beta") == []
    tags = (await client.get("/v1/workflows/research")).json()["tags"]
    assert [(each["tag"], each["version"]) for each in tags] == [("prod", 2)]
    assert (await client.delete("/v1/workflows/research/tags/prod")).status_code == 204
    assert (await client.delete("/v1/workflows/research/tags/prod")).status_code == 404
    assert (await client.get("/v1/workflows/research/versions/prod")).status_code == 404


@pytest.mark.parametrize("tag", ["1", "active", "-x", "a b", "x" * 101])
async def test_what_could_be_taken_for_a_version_is_no_tag(app_client, tag):
    await saved(app_client)
    answer = await app_client.put(f"/v1/workflows/research/tags/{tag}", json={})
    assert answer.status_code == 400


async def test_the_list_has_code_workflows_beside_those_with_a_spec(each_app_client):
    client = each_app_client
    await saved(client, spec(name="b"))
    await saved(client, spec(name="d"))
    for name in ("c", "a", "c", "d"):
        last = await run(client, name)

    rows = {each["name"]: each for each in (await client.get("/v1/workflows")).json()["items"]}
    assert list(rows) == ["a", "b", "c", "d"]
    assert [each["kind"] for each in rows.values()] == ["code", "spec", "code", "spec"]
    assert rows["b"]["last_execution"] is None
    assert rows["d"]["last_execution"]["id"] == last
    assert rows["d"]["last_execution"]["status"] == "running"
    assert await names(client, kind="code") == ["a", "c"]
    assert await names(client, kind="spec") == ["b", "d"]

    found, after = [], None
    while True:
        page = (
            await client.get("/v1/workflows", params={"limit": 1} | ({"after": after} if after else {}))
        ).json()
        found += [each["name"] for each in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert found == ["a", "b", "c", "d"]


async def test_a_workflow_tells_of_its_open_failures(app_client):
    await saved(app_client)
    failed = {"type": "execution.failed", "error": {"type": "E", "message": "no"}}
    for _ in range(2):
        await run(app_client, "research", failed)
    await run(app_client, "unsaved", failed)

    shown = (await app_client.get("/v1/workflows/research")).json()
    assert (shown["open_failures"], shown["open_occurrences"]) == (1, 2)
    code = (await app_client.get("/v1/workflows/unsaved")).json()
    assert (code["kind"], code["open_failures"], code["active"]) == ("code", 1, None)


async def test_names_with_slashes_and_wide_characters_can_be_asked_for(app_client):
    await saved(app_client, spec(name="teams/研究 & co"))
    answer = await app_client.get("/v1/workflows/teams%2F%E7%A0%94%E7%A9%B6%20%26%20co")
    assert answer.json()["name"] == "teams/研究 & co"


async def test_other_tenants_see_nothing_and_have_names_of_their_own(each_app_client):
    made = await saved(each_app_client)
    stranger = await each_app_client.new_tenant()
    for path in ("research", made["id"], "research/versions", "research/versions/1"):
        assert (await stranger.get(f"/v1/workflows/{path}")).status_code == 404
    assert await names(stranger) == []
    assert (await saved(stranger, spec(description="theirs")))["version"] == 1


async def test_only_who_manages_saves(app_client):
    key = await app_client.new_key(Scope.READ, Scope.RUN, Scope.OPERATE)
    client = app_client.as_key(key)
    assert (await save(client)).status_code == 403
    assert (await client.post("/v1/workflows/check", json={"document": spec()})).json()["valid"]


async def test_a_key_with_a_list_of_workflows_changes_no_other(app_client):
    await saved(app_client, spec(name="other"))
    client = app_client.as_key(await app_client.new_key(workflows=["research"]))
    assert (await save(client)).status_code == 200
    for answer in (
        await save(client, spec(name="other", description="x")),
        await client.post("/v1/workflows/other/archive"),
        await client.put("/v1/workflows/other/tags/prod", json={}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "workflow-not-allowed"), answer.text


async def test_the_audit_log_tells_who_saved_what(app_client):
    await saved(app_client)
    await app_client.post("/v1/workflows/research/archive")
    entries = (await app_client.get("/v1/audit", params={"target": "research"})).json()["items"]
    assert [each["action"] for each in entries] == ["workflow.archived", "workflow.saved"]


async def test_versions_are_compared_thing_by_thing(each_app_client):
    client = each_app_client
    await saved(client)
    nodes = [SPEC["nodes"][0] | {"timeout_s": 30}, SPEC["nodes"][1]]
    await saved(client, spec(nodes=nodes))
    await client.put("/v1/workflows/research/tags/old", json={"version": 1})
    await saved(client, spec(nodes=nodes, description="third"))

    found = (await client.get("/v1/workflows/research/difference")).json()
    assert (found["before"], found["after"]) == (2, 3)
    assert [(each["kind"], each["what"]) for each in found["changes"]] == [("changed", "spec")]
    asked = {"before": "old", "after": "2"}
    changes = (await client.get("/v1/workflows/research/difference", params=asked)).json()["changes"]
    assert [(each["what"], each["id"]) for each in changes] == [("node", "find")]
    field = {"pointer": "/timeout_s", "before": None, "after": 30, "text_diff": []}
    assert changes[0]["fields"] == [field]


async def test_checking_tells_what_would_change(app_client):
    await saved(app_client)
    body = {"document": spec(description="other")}
    answer = (await app_client.post("/v1/workflows/check", json=body)).json()
    assert (answer["active_version"], [each["what"] for each in answer["changes"]]) == (1, ["spec"])


async def queue(client, key=None, **fields):
    body = {"workflow": "research", "driver": "worker", "input_digest": DIGEST, "input": {"topic": "x"}}
    return await client.post_keyed("/v1/executions", body | fields, key)


async def test_an_archived_workflow_is_not_started_but_what_was_started_is_found(each_app_client):
    client = each_app_client
    await saved(client)
    first = await queue(client, "k1")
    assert (first.status_code, first.json()["driver"]) == (200, "engine")
    await client.post("/v1/workflows/research/archive")

    refused = await queue(client)
    assert (refused.status_code, refused.json()["code"]) == (409, "workflow-archived")
    assert len((await client.get("/v1/executions")).json()["items"]) == 1
    again = await queue(client, "k1")
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert (await queue(client, workflow="of code only")).status_code == 200


async def test_an_execution_keeps_the_version_that_it_began_with(each_app_client):
    client = each_app_client
    versions = Sql("SELECT version FROM engine_runs WHERE execution_id = :id")

    async def pinned(answer):
        found = answer.json()["id"]
        return await client.server.db.read(lambda tx: tx.one(versions, int, id=found))

    await saved(client)
    first = await queue(client)
    await saved(client, spec(description="other"))
    second = await queue(client)
    assert (await pinned(first), await pinned(second)) == (1, 2)
